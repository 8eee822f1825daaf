"""Where the output of calls goes: to this process's own streams, labelled with its node."""

from __future__ import annotations

import contextvars
import sys

from skyward_jupyter.wire.events import Clear, Display, Dropped, Output, TaskEvent


class Echo:
    """Shows what calls write where they were made: in a notebook, in that cell.

    A line is shown when it is complete, or when its task has ended.
    """

    def __init__(self) -> None:
        self._context = contextvars.copy_context()
        self._unfinished: dict[tuple[int, str], str] = {}

    def __call__(self, event: TaskEvent) -> None:
        """Show one event of a task."""
        self._context.run(self._show, event)

    def finish(self, node: int) -> None:
        """A task of a node has ended: show the line it left unfinished."""
        if self._unfinished:
            self._context.run(self._finish, node)

    def _finish(self, node: int) -> None:
        for key in [key for key in self._unfinished if key[0] == node]:
            _write(*key, [self._unfinished.pop(key)])

    def _show(self, event: TaskEvent) -> None:
        match event:
            case Output(node, stream, text):
                *lines, rest = (self._unfinished.pop((node, stream), "") + text).split("\n")
                if rest:
                    self._unfinished[node, stream] = rest
                if lines:
                    _write(node, stream, lines)
            case Display(node, data, metadata, _, _):
                _display(node, dict(data), dict(metadata))
            case Dropped(node):
                self._finish(node)
                sys.stderr.write(f"[node {node}] {event}\n")
                sys.stderr.flush()
            case Clear():
                return


def _write(node: int, stream: str, lines: list[str]) -> None:
    target = sys.stdout if stream == "stdout" else sys.stderr
    target.write("".join(f"[{node}] {line}\n" for line in lines))
    target.flush()


def _display(node: int, data: dict[str, object], metadata: dict[str, object]) -> None:
    from IPython.display import display

    sys.stdout.write(f"[{node}]\n")
    display(data, metadata=metadata, raw=True)
