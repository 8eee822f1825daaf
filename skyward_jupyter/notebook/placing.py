"""A line of our own in a cell: shown, changed in place, left there or taken away again."""

from __future__ import annotations

import contextvars
import sys
from uuid import uuid4

from skyward_jupyter.runtime.bridge import runtime
from skyward_jupyter.runtime.cells import cell_and_messages, kernel_shell


class CellPlace:
    """A place in the cell that runs as this is made, for one line of text."""

    def __init__(self) -> None:
        self._id = f"sky-{uuid4().hex}"
        self._context = contextvars.copy_context()
        self._shown: str | None = None
        self._sent = 0

    def show(self, line: str) -> None:
        """Show this line there from now on."""
        if line != self._shown:
            self._put({"text/plain": line}, update=self._shown is not None)
            self._shown = line

    def blank(self) -> None:
        """Show nothing there for now; where nothing else can be in the cell, nothing of it stays."""
        if not self._shown:
            return
        if self._context.run(self._is_alone):
            self.leave(alone=True)
            self._sent += 1
        else:
            self._put({}, update=True)
            self._shown = ""

    def leave(self, *, alone: bool) -> None:
        """Take it away; where it is `alone` in the cell, nothing of it stays."""
        shell = kernel_shell()
        if self._shown is None or shell is None:
            return
        self._shown = None
        if alone:
            self._context.run(shell.display_pub.clear_output, False)
        else:
            self._put({}, update=True)

    def _put(self, data: dict[str, str], *, update: bool) -> None:
        shell = kernel_shell()
        if shell is not None:
            publish = shell.display_pub.publish
            self._context.run(publish, data, {}, transient={"display_id": self._id}, update=update)
            self._sent += 1

    def _is_alone(self) -> bool:
        """Whether this cell runs, and the kernel has sent nothing since it began but what is shown here."""
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        cell, messages = cell_and_messages()
        return (cell, messages - self._sent) == runtime().began
