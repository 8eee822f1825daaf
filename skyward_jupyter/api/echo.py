"""Where the output of calls goes: to this process's own streams, labelled with its node."""

from __future__ import annotations

import contextvars
from collections.abc import Callable
from typing import Any

from skyward_jupyter.runtime.writing import put
from skyward_jupyter.wire.events import Clear, Display, Dropped, Output, TaskEvent


def _go_on() -> object:
    return None


class Echo:
    """Shows what calls write where they were made: in a notebook, in that cell.

    A line is shown when it is complete, or when its task has ended.

    Attributes
    ----------
    unread
        Called when the program is to end because nobody reads what it writes.

    Parameters
    ----------
    context
        Where they were made; where this is made when not given.
    """

    __slots__ = ("_context", "_unfinished", "unread")

    def __init__(self, context: contextvars.Context | None = None) -> None:
        self.unread: Callable[[], object] = _go_on
        self._context = contextvars.copy_context() if context is None else context
        self._unfinished: dict[tuple[int, str], str] | None = None  # made with the first: many wait and write nothing

    def __call__(self, event: TaskEvent) -> None:
        """Show one event of a task."""
        self._context.run(self._show, event)

    def say(self, text: str) -> None:
        """Show text of this side."""
        self._context.run(self._put, "stderr", text)

    def finish(self, node: int) -> None:
        """A task of a node has ended: show the line it left unfinished."""
        if self._unfinished:
            self._context.run(self._finish, node)

    def close(self) -> None:
        """All tasks have ended, and nobody has to be told what is read."""
        self.unread = _go_on

    def _finish(self, node: int) -> None:
        unfinished = self._unfinished or {}
        for key in [key for key in unfinished if key[0] == node]:
            self._write(*key, [unfinished.pop(key)])

    def _show(self, event: TaskEvent) -> None:
        match event:
            case Output(node, stream, text):
                if self._unfinished is None:
                    self._unfinished = {}
                *lines, rest = (self._unfinished.pop((node, stream), "") + text).split("\n")
                if rest:
                    self._unfinished[node, stream] = rest
                if lines:
                    self._write(node, stream, lines)
            case Display(node, data, metadata, _, _):
                self._display(node, dict(data), dict(metadata))
            case Dropped(node):
                self._finish(node)
                self._put("stderr", f"[node {node}] {event}\n")
            case Clear():
                return

    def _write(self, node: int, stream: str, lines: list[str]) -> None:
        self._put(stream, "".join(f"[{node}] {line}\n" for line in lines))

    def _put(self, stream: str, text: str) -> None:
        if not put(stream, text):
            self.unread()

    def _display(self, node: int, data: dict[str, Any], metadata: dict[str, Any]) -> None:
        from IPython.core.getipython import get_ipython
        from IPython.display import display

        if get_ipython() is None:
            self._write(node, "stdout", str(data.get("text/plain", "")).split("\n"))
            return
        self._put("stdout", f"[{node}]\n")
        display(data, metadata=metadata, raw=True)
