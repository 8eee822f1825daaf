"""A child that user code forked: it goes on with that code, and ends with it; only its parent answers the agent.

It ends as a process of multiprocessing does: of what was to be done at its parent's end, nothing is done at its own.
The connections of the slot and the event loop that ran are its parent's alone.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import os
import selectors
import socket
import sys
import traceback
from collections.abc import Callable, Sequence
from typing import NoReturn


class _State:
    """Whether this process is such a child, and what it has to leave alone."""

    child = False
    sockets: tuple[socket.socket, ...] = ()
    loop: asyncio.AbstractEventLoop | None = None


def keep_from_children(sockets: Sequence[socket.socket]) -> None:
    """See to it that no child says or hears anything on a slot's sockets."""
    _State.sockets = tuple(sockets)
    os.register_at_fork(before=_before, after_in_child=_in_child)


def forked() -> bool:
    """Whether this process is a child that user code forked."""
    return _State.child


def ending_children[T](work: Callable[[], T]) -> T:
    """Do user code's work; a child that it forked, and that comes out of it in whatever way, ends here."""
    if _State.child:
        return work()
    try:
        value = work()
    except BaseException as error:
        if _State.child:
            end(error)
        raise
    if _State.child:
        end(None)
    return value


def end(error: BaseException | None, shown: str = "") -> NoReturn:
    """End this child as a program that raised `error`, whose traceback is `shown`, or the usual one."""
    status = 1
    with contextlib.suppress(BaseException):
        status = _status(error, shown)
        atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(BaseException):
            stream.flush()
    os._exit(status)


def _status(error: BaseException | None, shown: str) -> int:
    match error:
        case None | SystemExit(code=None):
            return 0
        case SystemExit(code=int(status)):
            return status & 0xFF
        case SystemExit(code=said):
            sys.stderr.write(f"{said}\n")
        case _:
            sys.stderr.write(f"{shown.rstrip()}\n" if shown else "".join(traceback.format_exception(error)))
    return 1


def _before() -> None:
    _State.loop = asyncio._get_running_loop()


def _in_child() -> None:
    _State.child = True
    atexit._clear()
    nothing = os.open(os.devnull, os.O_RDWR)
    for sock in _State.sockets:
        if sock.fileno() >= 0:
            os.dup2(nothing, sock.fileno(), inheritable=False)
    os.close(nothing)
    if _State.loop is not None:
        _have_own_selector(_State.loop)


def _have_own_selector(loop: asyncio.AbstractEventLoop) -> None:
    """What a loop waits for is kept by the system, for both processes alike; who wakes it means the parent's."""
    shared = getattr(loop, "_selector", None)
    if not isinstance(shared, selectors.BaseSelector):
        return
    bell = getattr(loop, "_ssock", None)
    own = selectors.DefaultSelector()
    for key in list(shared.get_map().values()):
        if bell is not None and key.fd == bell.fileno():
            continue
        with contextlib.suppress(OSError, ValueError):
            own.register(key.fileobj, key.events, key.data)
    loop._selector = own  # type: ignore[attr-defined]
