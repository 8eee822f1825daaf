"""Putting nodes' output on the page: in the cell that runs, or in a run's own display after its cell has ended.

What a cell writes goes to that cell even when another one runs by then, because it is written in the context that
was current when the cell started: that is where Jupyter keeps which cell a message belongs to.
"""

from __future__ import annotations

import contextvars
import html
import sys
import uuid
from collections.abc import Callable, Iterable
from typing import Any

from IPython.core.interactiveshell import InteractiveShell

from skyward_jupyter.agent.cells import Bundle
from skyward_jupyter.notebook.ranks import label
from skyward_jupyter.wire.events import Display

_PRE = 'style="margin:0;white-space:pre-wrap"'
_LABEL = 'style="opacity:.65;font-family:var(--jp-code-font-family, monospace)"'


class CellScreen:
    """The cell that runs now."""

    raw = True

    def __init__(self, shell: InteractiveShell, pool: str) -> None:
        self._shell = shell
        self._pool = pool
        self._id = uuid.uuid4().hex
        self._context = contextvars.copy_context()
        self._updates = hasattr(shell, "kernel")
        self._lives: dict[str, str] = {}

    def write(self, stream: str, text: str) -> None:
        """Write text to this process's stream."""
        self._context.run(_write, stream, text)

    def publish(self, ranks: Iterable[int], event: Display, labelled: bool) -> None:
        """Display a MIME bundle, after a label when there is more than one node."""
        ranks = list(ranks)
        if labelled and not event.update:
            self.bundle(*_labels(ranks))
        transient = dict(event.transient)
        if display_id := transient.get("display_id"):
            transient["display_id"] = f"sky-{self._pool}-{ranks[0]}-{display_id}"
        self._send(dict(event.data), dict(event.metadata), transient, event.update)

    def bundle(self, data: dict[str, Any], metadata: dict[str, Any]) -> None:
        """Display a MIME bundle of this side."""
        self._send(data, metadata, {}, False)

    def text(self, text: str) -> None:
        """Show text that is a value, not output."""
        self.bundle({"text/plain": text}, {})

    def live(self, key: str, text: str) -> None:
        """Show text in a display of its own; a terminal, which has none, gets the last one at the end."""
        if not self._updates:
            self._lives[key] = text
            return
        update = key in self._lives
        self._lives[key] = text
        data = {"text/plain": text}
        self._send(data, {}, {"display_id": f"sky-{self._id}-{key}"}, update)

    def clear(self, wait: bool) -> None:
        """Clear the cell's output."""
        self._lives.clear()
        self._context.run(self._shell.display_pub.clear_output, wait)

    def end(self) -> None:
        """Write what a terminal could not show while it changed."""
        if not self._updates:
            for text in self._lives.values():
                self.write("stderr", text + "\n")
            self._lives.clear()

    def _send(self, data: dict[str, Any], metadata: dict[str, Any], transient: dict[str, Any], update: bool) -> None:
        self._context.run(self._shell.display_pub.publish, data, metadata, transient=transient, update=update)


class RunScreen(CellScreen):
    """The display of a run in the background: its text stays together in one place, redrawn as it grows.

    Parameters
    ----------
    redraw
        Called when the text has changed.
    """

    raw = False

    def __init__(self, shell: InteractiveShell, pool: str, redraw: Callable[[], None]) -> None:
        super().__init__(shell, pool)
        self._redraw = redraw
        self._written = ""
        self._places: dict[str, str] = {}

    def write(self, stream: str, text: str) -> None:
        """Add text to the display."""
        self._written = _last(self._written + text)
        self._redraw()

    def text(self, text: str) -> None:
        """Add the value to the display."""
        self.write("stdout", text + "\n")

    def live(self, key: str, text: str) -> None:
        """Show text below the rest."""
        self._places[key] = text
        self._redraw()

    def clear(self, wait: bool) -> None:
        """Empty the display."""
        self._written = ""
        self._places.clear()

    def end(self) -> None:
        """Nothing is held back."""

    def show(self, head: str, *, update: bool = True, last: bool = False) -> None:
        """Draw the display: a line about the run, then its output. A terminal shows the last state only."""
        if not (self._updates or last):
            return
        body = "\n".join(part.rstrip("\n") for part in (self._written, *self._places.values()) if part)
        plain = f"{head}\n{body}" if body else head
        page = f"<div {_LABEL}>{html.escape(head)}</div>" + (f"<pre {_PRE}>{html.escape(body)}</pre>" if body else "")
        self._send({"text/plain": plain, "text/html": page}, {}, {"display_id": f"sky-{self._id}"}, update)


def show_values(screen: CellScreen, shown: dict[int, Bundle], labelled: bool) -> None:
    """Show last expressions: plain ones as labelled lines together, rich ones each with its label; equal ones once."""
    plain: list[str] = []
    for ranks, bundle in equal_bundles(shown):
        text = bundle.data.get("text/plain")
        if set(bundle.data) == {"text/plain"} and isinstance(text, str) and (labelled or not screen.raw):
            plain.append(_labelled(ranks, text) if labelled else text)
            continue
        if plain:
            screen.text("\n".join(plain))
            plain = []
        screen.publish(ranks, Display(ranks[0], bundle.data, bundle.metadata, {}), labelled)
    if plain:
        screen.text("\n".join(plain))


def equal_bundles(shown: dict[int, Bundle]) -> list[tuple[list[int], Bundle]]:
    groups: list[tuple[list[int], Bundle]] = []
    for rank, bundle in sorted(shown.items()):
        for ranks, first in groups:
            if first.data == bundle.data:
                ranks.append(rank)
                break
        else:
            groups.append(([rank], bundle))
    return groups


def _labelled(ranks: list[int], text: str) -> str:
    return f"{label(ranks)}\n{text}" if "\n" in text else f"{label(ranks)} {text}"


def quiet_line(text: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """A line of ours about the cell, as a bundle that stays in the background."""
    return {"text/plain": text, "text/html": f"<div {_LABEL}>{html.escape(text)}</div>"}, {}


def _labels(ranks: Iterable[int]) -> tuple[dict[str, Any], dict[str, Any]]:
    return quiet_line(label(ranks))


def _write(stream: str, text: str) -> None:
    file = sys.stderr if stream == "stderr" else sys.stdout
    file.write(text)
    file.flush()


def _last(text: str, most: int = 200_000) -> str:
    if len(text) <= most:
        return text
    start = text.find("\n", len(text) - most) + 1
    return text[start:]
