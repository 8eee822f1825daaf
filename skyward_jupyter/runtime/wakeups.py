"""Letting a signal wake a kernel's idle event loop.

A loop with a signal handler of its own, whichever signal it is for, is told of every signal at once; without one it
learns of an interrupt only when something else happens. A handler or a wake-up descriptor of somebody else's stays.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import threading

_kept: set[int] = set()


def let_wake(loop: asyncio.AbstractEventLoop, *, keep: bool = False) -> bool:
    """Have signals wake `loop`, if nothing does so far; returns whether this did it. `keep` refuses to end it later."""
    if threading.current_thread() is not threading.main_thread() or not hasattr(signal, "SIGUSR2"):
        return False
    if keep:
        _kept.add(id(loop))
    if signal.getsignal(signal.SIGUSR2) not in (signal.SIG_DFL, None) or _is_woken():
        return False
    with contextlib.suppress(NotImplementedError, RuntimeError, ValueError):
        loop.add_signal_handler(signal.SIGUSR2, _nothing)
        return True
    return False


def let_sleep(loop: asyncio.AbstractEventLoop) -> None:
    """End what `let_wake` did, unless a pool needs it."""
    if id(loop) not in _kept:
        loop.remove_signal_handler(signal.SIGUSR2)


def _is_woken() -> bool:
    """Whether there is a descriptor already that signals are written to."""
    found = signal.set_wakeup_fd(-1)
    if found != -1:
        signal.set_wakeup_fd(found)
    return found != -1


def _nothing() -> None:
    pass
