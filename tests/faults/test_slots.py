"""User code that takes its process down, or will not stop."""

from __future__ import annotations

import ctypes
import os
import signal
import time

import pytest

import skyward as sky
from tests.faults.conftest import World
from tests.processes import words_of


@sky.compute
def well(x: int) -> int:
    return x + 1


@sky.compute
def leave(status: int) -> None:
    os._exit(status)


@sky.compute
def crash() -> None:
    ctypes.string_at(0)


@sky.compute
def killed() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


@sky.compute
def hoard() -> int:
    return len(bytearray(1 << 62))


@sky.compute
def stubborn() -> None:
    while True:
        try:
            while True:
                time.sleep(0.05)
        except KeyboardInterrupt:
            continue


@sky.compute
def forever() -> None:
    while True:
        pass


def assert_whole(pool: sky.ComputePool) -> None:
    """The pool answers on every node, and no node was lost."""
    assert well(1) @ pool == [2, 2, 2]


@pytest.mark.parametrize("status", [0, 3])
def test_exit_of_the_process_is_named(pool: sky.ComputePool, status: int) -> None:
    with pytest.raises(sky.SlotDied, match=f"status {status}") as caught:
        leave(status) >> pool
    assert caught.value.status == status
    assert_whole(pool)


def test_segfault_is_named(pool: sky.ComputePool) -> None:
    with pytest.raises(sky.SlotDied, match="SIGSEGV") as caught:
        crash() >> pool
    assert caught.value.signal == signal.SIGSEGV
    assert_whole(pool)


def test_kill_9_is_named(pool: sky.ComputePool) -> None:
    with pytest.raises(sky.SlotDied, match="SIGKILL"):
        killed() >> pool
    assert_whole(pool)


def test_memory_error_is_the_callers(pool: sky.ComputePool) -> None:
    with pytest.raises(MemoryError):
        hoard() >> pool
    assert_whole(pool)


def test_every_slot_dying_at_once_loses_only_their_tasks(pool: sky.ComputePool) -> None:
    futures = [crash() > pool if index % 10 == 0 else well(index) > pool for index in range(200)]
    lost = 0
    for index, future in enumerate(futures):
        if index % 10 == 0:
            with pytest.raises(sky.SlotDied):
                future.result(30)
            lost += 1
        else:
            assert future.result(30) == index + 1
    print(f"200 tasks, 20 of them crash their slot: {lost} named, 0 others lost")
    assert_whole(pool)


def test_timeout_stops_an_infinite_loop(pool: sky.ComputePool) -> None:
    with pytest.raises(TimeoutError, match=r"longer than its 0\.3 s"):
        forever().with_timeout(0.3) >> pool
    assert_whole(pool)


def test_code_that_ignores_the_interrupt_is_killed(pool: sky.ComputePool) -> None:
    started = time.monotonic()
    with pytest.raises(sky.TaskTimeout):
        stubborn().with_timeout(0.2) >> pool
    assert time.monotonic() - started < 30
    assert_whole(pool)


def test_a_cancelled_future_frees_its_slot(pool: sky.ComputePool) -> None:
    futures = [forever() > pool for _ in range(3)]
    waiting = well(1) > pool
    for future in futures:
        assert future.cancel()
    assert waiting.result(30) == 2
    assert_whole(pool)


@sky.compute
def start_child() -> int:
    import subprocess

    child = subprocess.Popen(["sleep", "600"])
    os._exit(child.pid % 256 and 1)


def test_children_of_a_dead_slot_are_ended(pool: sky.ComputePool, world: World) -> None:
    import psutil

    before = {process.pid for process in psutil.process_iter()}
    with pytest.raises(sky.SlotDied):
        start_child() >> pool

    def left() -> list[int]:
        new = [process for process in psutil.process_iter() if process.pid not in before]
        return [process.pid for process in new if words_of(process) == ["sleep", "600"]]

    world.until(lambda: not left(), "the child that the slot had started is gone")
