"""Locks that stay with the process that took them, and its threads, when it is forked.

A fork copies open files and locks, but only one thread. What another thread had locked would stay locked in the child
for good, and a file that the child has open too would stay locked for everybody. So a child closes the lock files of
its parent and finds the locks of threads unlocked. What a lock protects is as the fork found it.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import threading
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

#: The lock files that this process has open.
_files: set[int] = set()
_threads: weakref.WeakSet[Any] = weakref.WeakSet()


def thread_lock() -> threading.Lock:
    """Return a lock for the threads of this process."""
    lock = threading.Lock()
    _threads.add(lock)
    return lock


def thread_rlock() -> threading.RLock:
    """Return a lock for the threads of this process that the one which has it may take again."""
    lock = threading.RLock()
    _threads.add(lock)
    return lock


def open_lock(path: str | Path, flags: int = os.O_CREAT) -> int:
    """Open a lock file; `close_lock` closes it."""
    fd = os.open(path, os.O_RDWR | os.O_NOFOLLOW | flags, 0o600)
    _files.add(fd)
    return fd


def close_lock(fd: int) -> None:
    """Unlock and close a lock file, unless this is a child that was forked since it was opened."""
    if fd not in _files:
        return
    _files.discard(fd)
    with contextlib.suppress(OSError):
        fcntl.flock(fd, fcntl.LOCK_UN)  # closing is not enough: a child forked as it was opened has it open too
    os.close(fd)


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Have a lock file to itself, in this process and among all others."""
    fd = open_lock(path)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        close_lock(fd)


def _in_child() -> None:
    for fd in _files:
        with contextlib.suppress(OSError):
            os.close(fd)
    _files.clear()
    for lock in _threads:
        lock._at_fork_reinit()


os.register_at_fork(after_in_child=_in_child)
