"""Code on nodes that forks: only the parent answers, and how the child ends harms neither."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
from collections.abc import Iterator

import pytest

import skyward as sky


@pytest.fixture(scope="module", params=["process", "thread"])
def slots(request: pytest.FixtureRequest) -> Iterator[sky.ComputePool]:
    """A pool of one node, whose two slots are processes or threads."""
    worker = sky.Worker(concurrency=2, executor=request.param)
    with sky.ComputePool(nodes=1, name=f"forking-{request.param}", worker=worker) as made:
        yield made


@sky.compute
def double(n: int) -> int:
    return 2 * n


def _leave(how: str) -> str:
    """End a child, or go on with it."""
    match how:
        case "_exit":
            os._exit(3)
        case "exit":
            sys.exit(3)
        case "said":
            sys.exit("so it is")
        case "raise":
            raise ValueError("of the child")
        case "killed":
            os.kill(os.getpid(), signal.SIGKILL)
    return "child"


@sky.compute
def fork(how: str) -> int:
    if (child := os.fork()) == 0:
        return int(_leave(how) == "parent")
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@sky.compute
async def fork_awaiting(how: str) -> int:
    """Fork in a coroutine; Python has no event loop in the child."""
    await asyncio.sleep(0)
    if (child := os.fork()) == 0:
        return int(_leave(how) == "parent")
    _, status = await asyncio.to_thread(os.waitpid, child, 0)
    await asyncio.to_thread(threading.Event().wait, 0.01)
    return os.waitstatus_to_exitcode(status)


@sky.compute
def fork_yielding(n: int) -> Iterator[int]:
    for k in range(n):
        child = os.fork()
        if child == 0:
            yield -1
        os.waitpid(child, 0)
        yield k


ENDS = [("fall", 0), ("_exit", 3), ("exit", 3), ("said", 1), ("raise", 1), ("killed", -9)]


@pytest.mark.parametrize(("how", "status"), ENDS)
def test_only_the_parent_answers(slots: sky.ComputePool, how: str, status: int) -> None:
    pids = sky.compute(os.getpid)
    before = {pids() >> slots for _ in range(4)}
    assert fork(how) >> slots == status
    assert fork_awaiting(how) >> slots == status
    assert {pids() >> slots for _ in range(4)} == before
    assert sky.gather(*(double(n) for n in range(50))) >> slots == list(range(0, 100, 2))


def test_a_child_yields_nothing(slots: sky.ComputePool) -> None:
    assert list(fork_yielding(5) >> slots) == list(range(5))


def test_what_a_child_says_is_shown(slots: sky.ComputePool, capfd: pytest.CaptureFixture[str]) -> None:
    @sky.compute
    def fork() -> None:
        if os.fork() == 0:
            print("hello from the child")
            raise ValueError("of the child")
        os.wait()

    fork() >> slots
    shown = capfd.readouterr()
    assert shown.out.count("hello from the child\n") == 1
    assert shown.err.count("ValueError: of the child\n") == 1


def test_a_child_that_lives_on_is_not_waited_for(slots: sky.ComputePool) -> None:
    @sky.compute
    def fork() -> int:
        read, write = os.pipe()
        if (child := os.fork()) == 0:
            os.close(write)
            os.read(read, 1)
            os._exit(0)
        os.close(read)
        keep.append(write)
        return child

    keep: list[int] = []
    child = fork() >> slots
    assert child > 0
    assert double(4) >> slots == 8


def test_a_lock_stays_the_parents(slots: sky.ComputePool) -> None:
    @sky.compute
    def locked() -> bool:
        with sky.lock("forked"):
            if (child := os.fork()) == 0:
                return False
            os.waitpid(child, 0)
        return True  # else leaving it says that it is not held

    assert locked() >> slots


def test_what_is_done_at_the_end_is_the_parents(slots: sky.ComputePool) -> None:
    @sky.compute
    def fork() -> bool:
        import tempfile

        with tempfile.TemporaryDirectory() as folder:
            if (child := os.fork()) == 0:
                os._exit(0)
            os.waitpid(child, 0)
            return os.path.isdir(folder)

    @sky.compute
    def kept() -> bool:
        import tempfile

        folder = tempfile.TemporaryDirectory()
        if (child := os.fork()) == 0:
            sys.exit(0)
        os.waitpid(child, 0)
        return os.path.isdir(folder.name)

    assert fork() >> slots
    assert kept() >> slots
