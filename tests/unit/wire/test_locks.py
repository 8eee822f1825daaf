"""Locks of a process that is forked while one of its threads has them."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from skyward_jupyter.wire.holds import hold, is_held, let_go, unheld
from skyward_jupyter.wire.locks import locked, thread_lock, thread_rlock

pytestmark = pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")


@contextmanager
def elsewhere(held: AbstractContextManager[object]) -> Iterator[None]:
    """Another thread has `held` meanwhile."""
    has, enough = threading.Event(), threading.Event()

    def work() -> None:
        with held:
            has.set()
            enough.wait(60)

    thread = threading.Thread(target=work)
    thread.start()
    has.wait(60)
    try:
        yield
    finally:
        enough.set()
        thread.join()


@contextmanager
def child(work: Callable[[], object]) -> Iterator[Callable[[], int]]:
    """A child that is forked here, does `work` and then nothing; gives how to wait for the work: 0 when it is done."""
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        signal.alarm(20)  # one that waits for good
        try:
            work()
            os.write(write, b"\0")
        finally:
            os.close(write)
            time.sleep(60)
            os._exit(0)
    os.close(write)

    def done() -> int:
        return sys.maxsize if not (said := os.read(read, 1)) else said[0]

    try:
        yield done
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        os.close(read)


def free(path: Path) -> bool:
    """Whether another process that did not come of this one can have a lock."""
    code = "import fcntl, sys; fcntl.flock(open(sys.argv[1], 'r+'), fcntl.LOCK_EX | fcntl.LOCK_NB)"
    return os.spawnv(os.P_WAIT, sys.executable, [sys.executable, "-c", code, str(path)]) == 0


def test_a_child_has_a_file_that_was_locked_as_soon_as_its_parent_has_not(tmp_path: Path) -> None:
    path = tmp_path / "lock"

    def work() -> None:
        with locked(path):
            pass

    with elsewhere(locked(path)):
        made = child(work)
        done = made.__enter__()
        assert not free(path)
    assert done() == 0
    made.__exit__(None, None, None)


def test_a_file_is_free_for_others_while_such_a_child_lives(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with elsewhere(locked(path)):
        made = child(lambda: None)
        done = made.__enter__()
        assert done() == 0
    assert free(path)
    made.__exit__(None, None, None)


def test_a_child_that_leaves_the_block_of_its_parent_takes_no_lock_from_it(tmp_path: Path) -> None:
    path, held = tmp_path / "lock", locked(tmp_path / "lock")
    held.__enter__()
    with child(lambda: held.__exit__(None, None, None)) as done:
        assert done() == 0
        assert not free(path)
    held.__exit__(None, None, None)
    assert free(path)


@pytest.mark.parametrize("make", [thread_lock, thread_rlock])
def test_a_child_finds_the_locks_of_threads_unlocked(make: Callable[[], threading.Lock]) -> None:
    lock = make()

    def work() -> None:
        with lock:
            pass

    with elsewhere(lock), child(work) as done:
        assert done() == 0
        assert not lock.acquire(blocking=False)


def test_a_directory_that_was_looked_at_during_a_fork_is_held_by_nobody(tmp_path: Path) -> None:
    assert hold(tmp_path)
    let_go(tmp_path.name)
    with elsewhere(unheld(tmp_path)):
        made = child(lambda: None)
        assert made.__enter__()() == 0
        assert is_held(tmp_path)
    assert not is_held(tmp_path)
    made.__exit__(None, None, None)
