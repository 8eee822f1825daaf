"""The end of a slot's process as the end of a program: what its code leaves for then is done.

Python does this for a program that it started itself; a slot was forked, and ends where Python would not notice.
Whoever ends the slot sees to it that this does not take for ever.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import signal
import sys
import threading

#: Seconds that threads of user code may still take; then exit handlers run beside them.
_THREADS_WITHIN = 2.0


def finish() -> None:
    """Wait for the threads of user code and run its exit handlers, in Python's own order. Nobody hears of it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    nowhere = open(os.devnull, "w")  # noqa: SIM115 - for as long as there is a process
    for fd in (1, 2):
        os.dup2(nowhere.fileno(), fd)
    sys.stdout = sys.stderr = nowhere
    signal.signal(signal.SIGALRM, _give_up)
    signal.setitimer(signal.ITIMER_REAL, _THREADS_WITHIN)
    with contextlib.suppress(BaseException):
        threading._shutdown()  # type: ignore[attr-defined]
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, signal.SIG_IGN)
    with contextlib.suppress(BaseException):
        atexit._run_exitfuncs()


def _give_up(_signum: int, _frame: object) -> None:
    raise TimeoutError
