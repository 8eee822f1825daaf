"""Which part of a process holds a lock, and who may release it."""

from __future__ import annotations

import asyncio
import threading

import pytest

from skyward_jupyter.collections.address import checked
from skyward_jupyter.collections.holdings import Holdings, me
from skyward_jupyter.errors import LockMisused

LOCK = checked("lock", "a")


class Token:
    token = 1

    def release(self) -> None: ...

    async def release_async(self) -> None: ...

    def drop(self) -> None: ...


def test_a_thread_has_what_it_took() -> None:
    holdings, mine = Holdings(), Token()
    holdings.add(LOCK, mine, me(awaiting=False), task=3)
    held = holdings.mine(LOCK, me(awaiting=False))
    assert held.hold is mine
    assert holdings.of_task(3) == [held]
    holdings.remove(held)
    with pytest.raises(LockMisused, match="lock 'a' is not held here"):
        holdings.mine(LOCK, me(awaiting=False))


def test_the_same_does_not_wait_for_itself() -> None:
    holdings = Holdings()
    holdings.add(LOCK, Token(), me(awaiting=False))
    with pytest.raises(LockMisused, match="not reentrant"):
        holdings.refuse_again(LOCK, me(awaiting=False))
    holdings.refuse_again(checked("lock", "b"), me(awaiting=False))


def test_what_a_thread_left_may_be_released() -> None:
    holdings = Holdings()
    thread = threading.Thread(target=lambda: holdings.add(LOCK, Token(), me(awaiting=False)))
    thread.start()
    thread.join()
    assert holdings.mine(LOCK, me(awaiting=False))


async def test_tasks_of_a_loop_are_told_apart() -> None:
    holdings, go = Holdings(), asyncio.Event()

    async def hold() -> None:
        holdings.add(LOCK, Token(), me(awaiting=True))
        await go.wait()

    other = asyncio.create_task(hold())
    await asyncio.sleep(0)
    with pytest.raises(LockMisused):
        holdings.mine(LOCK, me(awaiting=True))
    go.set()
    await other
    assert holdings.mine(LOCK, me(awaiting=True))
