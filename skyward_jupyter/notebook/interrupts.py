"""SIGINT at a kernel reaches the cell, never the kernel's own work around it.

While ipykernel handles an execute request, Python's default handler is in place, also in the milliseconds before the
cell's code starts and after it has ended. An interrupt there unwinds the kernel instead of the cell, and the request
is never answered, or it is swallowed by a callback that IPython calls before each cell, and the cell runs on; so it
does after one in a callback of the garbage collector, whose errors Python ignores. Here such an interrupt is repeated
until the cell's code runs, or dropped when the request is over.
"""

from __future__ import annotations

import _thread
import os
import signal
import sys
import threading
import time
from types import FrameType
from typing import Any

from IPython.core.events import EventManager
from IPython.core.interactiveshell import InteractiveShell

from skyward_jupyter.notebook.state import Notebook

#: Seconds after which an interrupt that came at the wrong moment is repeated.
_AGAIN = 0.01
#: After so many repetitions it is raised wherever the kernel is: whatever keeps it there for a second has to end.
_TIMES = 100

_CELL = InteractiveShell.run_code.__code__
_CALLBACKS = EventManager.trigger.__code__


class CellInterrupts:
    """The SIGINT handler of a kernel with the extension loaded."""

    def __init__(self, notebook: Notebook, kernel: Any) -> None:
        self._notebook = notebook
        self._kernel = kernel
        self._own = kernel.pre_handler_hook
        self._unraisable = sys.unraisablehook
        self._turn = 0
        self._held = 0

    def install(self) -> None:
        """Take the place of the kernel's hook before a request, and of Python's for errors that it ignores."""
        self._kernel.pre_handler_hook = self._before_request
        sys.unraisablehook = self._ignored

    def remove(self) -> None:
        """Give the kernel and Python their hooks back."""
        if self._kernel.pre_handler_hook == self._before_request:
            self._kernel.pre_handler_hook = self._own
        if sys.unraisablehook == self._ignored:
            sys.unraisablehook = self._unraisable
        if signal.getsignal(signal.SIGINT) == self._handle:
            signal.signal(signal.SIGINT, signal.default_int_handler)

    def _before_request(self) -> None:
        self._own()
        self._turn += 1
        self._held = 0
        if self._kernel.get_parent("shell").get("header", {}).get("msg_type") == "execute_request":
            self._notebook.depth = 0
            signal.signal(signal.SIGINT, self._handle)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self._held >= _TIMES or _may_raise(frame):
            self._turn += 1
            self._held = 0
            signal.default_int_handler(number, frame)
        self._hold()

    def _ignored(self, what: Any) -> None:
        if what.exc_type is KeyboardInterrupt and threading.current_thread() is threading.main_thread():
            self._hold()
        else:
            self._unraisable(what)

    def _hold(self) -> None:
        """Repeat the interrupt in a moment."""
        self._turn += 1
        self._held += 1
        # Not threading.Timer: starting one takes a lock that the interrupted code may hold.
        _thread.start_new_thread(self._repeat, (self._turn,))

    def _repeat(self, turn: int) -> None:
        time.sleep(_AGAIN)
        if turn == self._turn:
            os.kill(os.getpid(), signal.SIGINT)


def _may_raise(frame: FrameType | None) -> bool:
    """Whether what runs is a cell's code, or a callback after it, whose errors IPython shows."""
    while frame is not None:
        if frame.f_code is _CELL:
            return True
        if frame.f_code is _CALLBACKS:
            return not str(frame.f_locals["event"]).startswith("pre_")
        frame = frame.f_back
    return False
