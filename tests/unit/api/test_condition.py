"""A small condition variable does what that of the standard library does."""

from __future__ import annotations

import asyncio
import concurrent.futures
import sys
import threading

import pytest

from skyward_jupyter.api.condition import Condition
from skyward_jupyter.api.future import PoolFuture


def test_those_who_wait_are_notified() -> None:
    condition = Condition()
    woken: list[int] = []
    with condition:
        assert not condition.wait(0.01)
        with condition:  # it can be entered again by who is inside
            condition.notify_all()

    def one() -> None:
        with condition:
            woken.append(-1)
            condition.wait(30)
            woken.append(1)

    waiting = [threading.Thread(target=one) for _ in range(3)]
    for thread in waiting:
        thread.start()
    while True:
        with condition:
            if woken.count(-1) == 3 and len(condition._waiters) == 3:
                condition.notify_all()
                break
    for thread in waiting:
        thread.join(30)
    assert woken.count(1) == 3
    with pytest.raises(RuntimeError):
        condition.notify()


def test_a_future_is_small_until_somebody_waits() -> None:
    future: PoolFuture[int] = PoolFuture(lambda _: None)
    assert sys.getsizeof(future._condition) < 100
    assert not future._condition._waiters  # type: ignore[attr-defined]


def test_the_standard_library_waits_for_it() -> None:
    futures: list[PoolFuture[int]] = [PoolFuture(lambda _: None) for _ in range(5)]
    for number, future in enumerate(futures):
        threading.Timer(0.02 * number, future.set_result, (number,)).start()
    assert sorted(one.result(30) for one in concurrent.futures.as_completed(futures, 30)) == [0, 1, 2, 3, 4]
    assert concurrent.futures.wait(futures, 30).not_done == set()


async def test_it_is_awaited() -> None:
    future: PoolFuture[int] = PoolFuture(lambda _: None)
    threading.Timer(0.02, future.set_result, (7,)).start()
    assert await asyncio.wait_for(future, 30) == 7
