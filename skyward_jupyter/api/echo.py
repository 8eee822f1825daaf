"""Where the output of calls goes: to this process's own streams, labelled with its node."""

from __future__ import annotations

import sys

from skyward_jupyter.wire.events import Clear, Display, Output, TaskEvent

_unfinished: dict[tuple[int, str], str] = {}


def echo(event: TaskEvent) -> None:
    """Show one event of a task."""
    match event:
        case Output(node, stream, text):
            _write(node, stream, text)
        case Display(node, data, metadata, _, _):
            _display(node, dict(data), dict(metadata))
        case Clear():
            return


def _write(node: int, stream: str, text: str) -> None:
    *lines, rest = (_unfinished.pop((node, stream), "") + text).split("\n")
    if rest:
        lines.append(rest)
    target = sys.stdout if stream == "stdout" else sys.stderr
    if lines:
        target.write("".join(f"[{node}] {line}\n" for line in lines))
        target.flush()


def _display(node: int, data: dict[str, object], metadata: dict[str, object]) -> None:
    from IPython.display import display

    sys.stdout.write(f"[{node}]\n")
    display(data, metadata=metadata, raw=True)
