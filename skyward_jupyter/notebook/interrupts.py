"""SIGINT at a kernel reaches the cell, never the kernel's own work around it.

While ipykernel handles an execute request, Python's default handler is in place, also in the milliseconds before the
cell's code starts and after it has ended. An interrupt there unwinds the kernel instead of the cell: the request is
never answered and the front end waits for ever. Here such an interrupt is held back until the cell's code runs, or
dropped when it has ended.
"""

from __future__ import annotations

import os
import signal
import threading
from types import FrameType
from typing import Any

from skyward_jupyter.notebook.state import Notebook

#: Seconds after which an interrupt that came before the cell's code is repeated.
_AGAIN = 0.01


class CellInterrupts:
    """The SIGINT handler of a kernel with the extension loaded."""

    def __init__(self, notebook: Notebook, kernel: Any) -> None:
        self._notebook = notebook
        self._kernel = kernel
        self._own = kernel.pre_handler_hook
        self._held = False

    def install(self) -> None:
        """Take the place of the kernel's hook before a request."""
        self._kernel.pre_handler_hook = self._before_request

    def remove(self) -> None:
        """Give the kernel its hook back."""
        if self._kernel.pre_handler_hook == self._before_request:
            self._kernel.pre_handler_hook = self._own
        if signal.getsignal(signal.SIGINT) == self._handle:
            signal.signal(signal.SIGINT, signal.default_int_handler)

    def cell_starts(self) -> None:
        """The cell's code is about to run: let it have an interrupt that came a moment ago."""
        if not self._held:
            return
        self._held = False
        timer = threading.Timer(_AGAIN, self._repeat)
        timer.daemon = True
        timer.start()

    def _before_request(self) -> None:
        self._own()
        self._held = False
        if self._kernel.get_parent("shell").get("header", {}).get("msg_type") == "execute_request":
            self._notebook.depth = 0
            signal.signal(signal.SIGINT, self._handle)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self._notebook.depth:
            signal.default_int_handler(number, frame)
        self._held = True

    def _repeat(self) -> None:
        if self._notebook.depth:
            os.kill(os.getpid(), signal.SIGINT)
