"""Who uses a pool's directory: whoever has a lock on it.

The kernel of a pool and its template each hold a shared lock on the directory and on its second place, which the system
takes back when they end, however they end. So what is locked is in use, also by processes of another container that
shares the file system and has process ids of its own. A forked child holds nothing.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path

from skyward_jupyter.wire.locks import close_lock, open_lock

_LOCK, _FREE = "lock", "free"
_NO_LOCKS = (errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS, errno.EINVAL)

#: The directories that this process holds, each with the descriptor of its lock.
_held: dict[str, int] = {}


def hold(place: str | Path, after: float = 0.0) -> bool:
    """Hold a directory from now on; False when it is gone, or its file system has no locks.

    A new one stays for `after` seconds when nobody holds it any more: whoever needs it then may come within that time.
    """
    if str(place) in _held:
        return True
    lock = Path(place) / _LOCK
    try:
        fd = open_lock(lock)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_SH)
        if not os.path.samestat(os.fstat(fd), os.stat(lock)):
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(lock))
        if after and not os.fstat(fd).st_size:
            os.write(fd, f"{after:g}".encode())
        lock.with_name(_FREE).unlink(missing_ok=True)
    except OSError as error:
        close_lock(fd)
        if error.errno in _NO_LOCKS:
            lock.unlink(missing_ok=True)
        if error.errno in (*_NO_LOCKS, errno.ENOENT):
            return False
        raise
    _held[str(place)] = fd
    return True


def let_go(name: str) -> None:
    """Hold no directory of this name any longer, whether or not it is still there."""
    for place in [place for place in list(_held) if Path(place).name == name]:
        close_lock(_held.pop(place))


def is_held(place: str | Path) -> bool:
    """Whether somebody holds a directory."""
    try:
        with unheld(place):
            return False
    except BlockingIOError:
        return True
    except OSError:
        return False


@contextlib.contextmanager
def unheld(place: str | Path) -> Iterator[bool]:
    """Keep others from holding a directory meanwhile, and give whether it has been free for as long as it stays.

    Raises
    ------
    BlockingIOError
        Somebody holds it.
    FileNotFoundError
        Nobody ever did.
    """
    fd = open_lock(Path(place) / _LOCK, 0)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield _free_for(Path(place)) >= float(os.read(fd, 32) or 0)
    finally:
        close_lock(fd)


def _free_for(place: Path) -> float:
    """Seconds since it was first seen to be free."""
    note = place / _FREE
    if not note.exists():
        note.touch(0o600)
    return time.time() - note.stat().st_mtime


os.register_at_fork(after_in_child=_held.clear)
