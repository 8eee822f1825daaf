"""Futures of calls."""

from __future__ import annotations

import asyncio
import concurrent.futures
import os
import threading
import time
from pathlib import Path

import pytest

import skyward as sky
from tests.integration.conftest import Until


@sky.compute
def double(n: int) -> int:
    return 2 * n


@sky.compute
def fail() -> None:
    raise LookupError("remote")


@sky.compute
def stop_or(mark: str, stopped: str) -> str:
    Path(mark).touch()
    try:
        time.sleep(60)
    except KeyboardInterrupt:
        Path(stopped).touch()
        raise
    return "slept"


@sky.compute
def wait_for(path: str) -> str:
    while not os.path.exists(path):
        time.sleep(0.002)
    return path


def test_a_result(pool: sky.ComputePool) -> None:
    future = double(4) > pool
    assert isinstance(future, concurrent.futures.Future)
    assert future.result(20) == 8
    assert future.done()
    assert not future.cancelled()
    assert future.exception() is None


def test_an_error(pool: sky.ComputePool) -> None:
    future = fail() > pool
    assert isinstance(future.exception(20), LookupError)
    with pytest.raises(LookupError, match="remote"):
        future.result()


def test_it_is_there_at_once(pool: sky.ComputePool, tmp_path: Path) -> None:
    path = tmp_path / "go"
    future = wait_for(str(path)) > pool
    assert not future.done()
    with pytest.raises(TimeoutError):
        future.result(0.01)
    path.touch()
    assert future.result(20) == str(path)


def test_a_group(pool: sky.ComputePool) -> None:
    assert (sky.gather(*map(double, range(4))) > pool).result(20) == [0, 2, 4, 6]
    assert ((double(1) & double(2)) > pool).result(20) == (2, 4)


def test_cancelling_stops_the_remote_code(pool: sky.ComputePool, tmp_path: Path, until: Until) -> None:
    mark, stopped = tmp_path / "runs", tmp_path / "stopped"
    future = stop_or(str(mark), str(stopped)) > pool
    until(mark.exists, "it runs")
    assert future.cancel()
    assert future.cancelled()
    assert not future.cancel()
    with pytest.raises(concurrent.futures.CancelledError):
        future.result(20)
    until(stopped.exists, "the remote code was interrupted")
    assert double(1) @ pool == [2, 2, 2]


def test_cancelling_what_waits_in_the_queue(pool: sky.ComputePool, tmp_path: Path, until: Until) -> None:
    path = tmp_path / "go"
    busy = [wait_for(str(path)) > pool for _ in range(3)]
    queued = stop_or(str(tmp_path / "ran"), str(tmp_path / "stopped")) > pool
    assert queued.cancel()
    assert pool._inner.hub is not None
    tasks = pool._inner.hub.desk.tasks
    until(lambda: len(tasks) == 3, "only three are left")
    path.touch()
    assert [future.result(20) for future in busy] == [str(path)] * 3
    assert double(1) @ pool == [2, 2, 2]
    assert not (tmp_path / "ran").exists()


def test_what_is_done_cannot_be_cancelled(pool: sky.ComputePool) -> None:
    future = double(4) > pool
    future.result(20)
    assert not future.cancel()


def test_waiting_for_several(pool: sky.ComputePool, tmp_path: Path) -> None:
    futures = [double(n) > pool for n in range(5)]
    futures.append(wait_for(str(tmp_path / "never")) > pool)
    futures[-1].cancel()
    done, rest = concurrent.futures.wait(futures, timeout=20)
    assert (len(done), len(rest)) == (6, 0)
    found = [
        future.result() for future in concurrent.futures.as_completed(futures, timeout=20) if not future.cancelled()
    ]
    assert sorted(found) == [0, 2, 4, 6, 8]


def test_callbacks(pool: sky.ComputePool) -> None:
    called = threading.Event()
    future = double(2) > pool
    future.add_done_callback(lambda _: called.set())
    assert called.wait(20)


async def test_awaiting_one(pool: sky.ComputePool) -> None:
    assert await (double(4) > pool) == 8
    assert await asyncio.gather(*(double(n) > pool for n in range(5))) == [0, 2, 4, 6, 8]
    with pytest.raises(LookupError):
        await (fail() > pool)


async def test_cancelling_the_await_cancels_it(pool: sky.ComputePool, tmp_path: Path, until: Until) -> None:
    mark, stopped = tmp_path / "runs", tmp_path / "stopped"
    future = stop_or(str(mark), str(stopped)) > pool

    async def wait() -> None:
        await future

    waiting = asyncio.ensure_future(wait())
    await asyncio.to_thread(until, mark.exists, "it runs")
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert future.cancelled()
    await asyncio.to_thread(until, stopped.exists, "the remote code was interrupted")


def test_a_cancelled_future_and_a_result_at_the_same_moment(pool: sky.ComputePool) -> None:
    for n in range(100):
        future = double(n) > pool
        if n % 3:
            time.sleep(n / 100_000)
        if not future.cancel():
            assert future.result(20) == 2 * n
    assert double(1) @ pool == [2, 2, 2]
