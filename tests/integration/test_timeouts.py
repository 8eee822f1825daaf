"""A timeout is a TaskTimeout, whatever the code makes of the interrupt that it comes as."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import skyward as sky

LIMIT = 0.3


def caught() -> str:
    try:
        time.sleep(60)
    except KeyboardInterrupt:
        return "ok"
    return "never interrupted"


def caught_with_all() -> str:
    try:
        time.sleep(60)
    except BaseException:
        return "ok"
    return "never interrupted"


def suppressed() -> str:
    with contextlib.suppress(KeyboardInterrupt):
        time.sleep(60)
    return "ok"


def returned_in_finally() -> str:
    try:
        time.sleep(60)
    finally:
        return "ok"  # noqa: B012


def turned_into_another() -> str:
    try:
        time.sleep(60)
    except KeyboardInterrupt:
        raise ValueError("something else") from None
    return "never interrupted"


def exits() -> str:
    try:
        time.sleep(60)
    except KeyboardInterrupt:
        sys.exit(0)
    return "never interrupted"


def other_handler() -> str:
    signal.signal(signal.SIGINT, lambda *_: None)
    time.sleep(2 * LIMIT)
    return "ok"


def ignoring() -> str:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    time.sleep(2 * LIMIT)
    return "ok"


def masked() -> str:
    signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT,))
    time.sleep(2 * LIMIT)
    return "ok"


def in_c() -> str:
    sum(range(60_000_000))
    return "ok"


def a_child() -> str:
    with contextlib.suppress(KeyboardInterrupt):
        subprocess.run(["sleep", "60"], check=False)
    return "ok"


async def a_coroutine() -> str:
    with contextlib.suppress(KeyboardInterrupt, asyncio.CancelledError):
        await asyncio.sleep(60)
    return "ok"


def much() -> bytes:
    with contextlib.suppress(KeyboardInterrupt):
        time.sleep(60)
    return os.urandom(4_000_000)


WAYS: list[Callable[[], Any]] = [
    caught,
    caught_with_all,
    suppressed,
    returned_in_finally,
    turned_into_another,
    exits,
    other_handler,
    ignoring,
    masked,
    in_c,
    a_child,
    a_coroutine,
    much,
]


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_one_call(pool: sky.ComputePool, way: Callable[[], Any]) -> None:
    with pytest.raises(sky.TaskTimeout, match=rf"longer than its {LIMIT:g} s on node \d$"):
        sky.compute(way)().with_timeout(LIMIT) >> pool


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_a_call_on_every_node(pool: sky.ComputePool, way: Callable[[], Any]) -> None:
    with pytest.raises(ExceptionGroup) as raised:
        sky.compute(timeout=LIMIT)(way)() @ pool
    assert [type(error) for error in raised.value.exceptions] == [sky.TaskTimeout] * 3


def test_the_next_task_can_be_interrupted_again(pool: sky.ComputePool) -> None:
    for way in (other_handler, ignoring, masked):
        sky.compute(way)() @ pool
        started = time.monotonic()
        with pytest.raises(ExceptionGroup):
            sky.compute(time.sleep)(60).with_timeout(0.05) @ pool
        assert time.monotonic() - started < 4  # none had to be killed


def goes_on(first: int) -> Iterator[int]:
    yield first
    for _ in range(2):
        with contextlib.suppress(KeyboardInterrupt):
            time.sleep(LIMIT)
    yield first + 1


def ends_early(first: int) -> Iterator[int]:
    yield first
    try:
        time.sleep(60)
    except KeyboardInterrupt:
        return


@pytest.mark.parametrize("way", [goes_on, ends_early])
def test_a_generator(pool: sky.ComputePool, way: Callable[[int], Iterator[int]]) -> None:
    stream = sky.compute(way)(1).with_timeout(LIMIT) >> pool
    assert next(stream) == 1
    with pytest.raises(sky.TaskTimeout):
        list(stream)
    for one in sky.compute(way)(1).with_timeout(LIMIT) @ pool:
        assert next(one) == 1
        with pytest.raises(sky.TaskTimeout):
            list(one)


@pytest.mark.parametrize("executor", ["process", "thread"])
def test_a_generator_that_nobody_reads(executor: Any) -> None:
    def endless() -> Iterator[int]:
        while True:
            yield 1

    with sky.ComputePool(nodes=1, worker=sky.Worker(2, executor)) as pool:
        beside = sky.compute(time.sleep)(4) > pool
        stream = sky.compute(endless)().with_timeout(3) >> pool  # which is enough to import this module there
        assert next(stream) == 1
        beside.result(30)  # the other slot, perhaps of the same process, was left alone
        with pytest.raises(sky.TaskTimeout):
            list(stream)


def test_side_by_side_and_as_a_future(pool: sky.ComputePool) -> None:
    call = sky.compute(caught)().with_timeout(LIMIT)
    with pytest.raises(sky.TaskTimeout):
        sky.gather(call, call) >> pool
    with pytest.raises(sky.TaskTimeout):
        list(sky.gather(call, call, stream=True) >> pool)
    with pytest.raises(sky.TaskTimeout):
        (call & call) >> pool
    with pytest.raises(sky.TaskTimeout):
        (call > pool).result(30)


def test_a_job_of_an_executor() -> None:
    with sky.Executor(nodes=1) as executor, pytest.raises(sky.TaskTimeout):
        executor.submit(sky.compute(timeout=LIMIT)(caught)).result(30)


@pytest.mark.parametrize("way", [caught_with_all, turned_into_another], ids=lambda way: way.__name__)
def test_slots_that_are_threads(way: Callable[[], Any]) -> None:
    def swallow() -> str:
        try:
            deadline = time.monotonic() + 60
            while time.monotonic() < deadline:
                time.sleep(0.01)
        except BaseException:
            if way is turned_into_another:
                raise ValueError("something else") from None
        return "ok"

    with sky.ComputePool(nodes=1, worker=sky.Worker(2, "thread")) as pool, pytest.raises(sky.TaskTimeout):
        sky.compute(swallow)().with_timeout(LIMIT) >> pool


def test_code_that_has_to_be_killed_says_so(pool: sky.ComputePool, tmp_path: Path) -> None:
    def never_ends(mark: str) -> None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        Path(mark).touch()
        time.sleep(60)

    with pytest.raises(sky.TaskTimeout, match="did not stop when interrupted, so its slot was ended") as raised:
        sky.compute(never_ends)(str(tmp_path / "runs")).with_timeout(LIMIT) >> pool
    assert raised.value.killed
    assert sky.compute(abs)(-1) @ pool == [1, 1, 1]


def test_what_ends_in_time_is_left_alone(pool: sky.ComputePool) -> None:
    assert sky.compute(abs)(-1).with_timeout(20) @ pool == [1, 1, 1]
