"""Putting nodes' output on the page: in the cell that runs, or in a run's own display after its cell has ended.

What a cell writes goes to that cell even when another one runs by then, because it is written in the context that
was current when the cell started: that is where Jupyter keeps which cell a message belongs to.
"""

from __future__ import annotations

import contextvars
import html
import sys
import time
import uuid
from collections.abc import Callable, Iterable
from itertools import groupby
from typing import TYPE_CHECKING, Any

from skyward_jupyter.agent.cells import Bundle
from skyward_jupyter.notebook import rowpage, still, tall
from skyward_jupyter.notebook.ranks import label
from skyward_jupyter.notebook.rows import Places, Row
from skyward_jupyter.runtime.writing import fitting, put
from skyward_jupyter.widgets import hosting, runs
from skyward_jupyter.wire.events import Display

if TYPE_CHECKING:
    from skyward_jupyter.api.pool import ComputePool
    from skyward_jupyter.notebook.run import CellCourse
    from skyward_jupyter.notebook.state import Notebook

#: Seconds that a cell runs before it may show itself live.
AFTER = 2.0
_LABEL = 'style="opacity:.65;font-family:var(--jp-code-font-family, monospace)"'


class CellScreen:
    """The cell that runs now.

    What it writes stays plain. When it takes longer than `AFTER` and draws progress bars, or writes more than is shown,
    its run is shown live in the place of the bars, until the cell ends.

    Attributes
    ----------
    wrote
        Whether something was put into the cell.
    before
        Called before anything is.
    """

    raw = True

    def __init__(self, notebook: Notebook, pool: ComputePool, run: CellCourse) -> None:
        self._shell = shell = notebook.shell
        self._pool = pool.name
        self._run = run
        self._id = uuid.uuid4().hex
        self._context = contextvars.copy_context()
        self._updates = hasattr(shell, "kernel")
        self.places = self._places(notebook, pool) if self._updates else None
        self._lives: dict[str, str] = {}
        self._raised = ""
        self._height, self._bounded = 0, False
        self.wrote = False
        self.before: Callable[[], object] | None = None
        run.body = "" if self.raw else None  # what is in the cell is not shown twice

    def _places(self, notebook: Notebook, pool: ComputePool) -> Places:
        return notebook.places(pool)

    def write(self, stream: str, text: str) -> None:
        """Write text to this process's stream."""
        self._begin()
        self._context.run(_write, stream, text)
        self._height += tall.height(text) if self._height <= tall.LINES else 0
        if time.monotonic() - self._run.started > AFTER:
            self._bound()

    def say(self, stream: str, text: str) -> None:
        """Write what is not the nodes' output."""
        self.write(stream, text)

    def publish(self, ranks: Iterable[int], event: Display, labelled: bool) -> None:
        """Display a MIME bundle, after a label when there is more than one node."""
        ranks = list(ranks)
        if labelled and not event.update:
            self.bundle(*_labels(ranks))
        transient = dict(event.transient)
        if display_id := transient.get("display_id"):
            transient["display_id"] = f"sky-{self._pool}-{ranks[0]}-{display_id}"
        self._send(dict(event.data), dict(event.metadata), transient, event.update)

    def row(self, row: Row) -> None:
        """Display a row; one node's display alone stays what it is, under its label."""
        former, row.drawn = row.drawn, "row" if len(row.figures) > 1 or row.drawn == "row" else "alone"
        heading, body = ({"display_id": f"sky-row-{row.id}{part}"} for part in ("-label", ""))
        if row.drawn == "alone":
            (figure,) = row.figures
            self._send(*_labels(figure.ranks), heading, bool(former))
            self._send(dict(figure.data), dict(figure.metadata), body, bool(former))
            return
        if former == "alone":
            self._send({"text/plain": "", "text/html": ""}, {}, heading, True)
        self._send(_row_bundle(row), {}, body, bool(former))

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
        if key == "progress" and (self._raised or self._raise(key)):
            return
        update = key in self._lives
        self._lives[key] = text
        self._place(key, {"text/plain": text}, update)

    def settle(self, key: str, text: str) -> None:
        """Have a display show this from now on; in a terminal, write it now."""
        if self._updates:
            self.live(key, text)
            return
        self._lives.pop(key, None)
        self.write("stdout", text + "\n")

    def clear(self, wait: bool) -> None:
        """Clear the cell's output."""
        self._lives.clear()
        self._raised = ""
        self._height, self._bounded = 0, False
        self._context.run(self._shell.display_pub.clear_output, wait)

    def crowded(self) -> None:
        """Some of what was written is not shown."""
        if self._updates and not self._raised:
            self._raise("log")

    def end(self) -> None:
        """Write what a terminal could not show while it changed; leave text and HTML where the run was shown live."""
        if self._raised:
            self._place(self._raised, self._final(), True)
        self._bound()
        runs.drop(self._run)
        self._run.body = None
        if not self._updates:
            for text in self._lives.values():
                self.write("stderr", text + "\n")
            self._lives.clear()

    def _bound(self) -> None:
        """Have the cell's output scroll, once, if there is much of it."""
        if self._updates and not self._bounded and self._height > tall.LINES:
            self._bounded = True
            self.bundle(dict(tall.BUNDLE), {})

    def _begin(self) -> None:
        """Something is put into the cell."""
        if self.before is not None:
            self.before()
        self.wrote = True

    def _raise(self, key: str) -> bool:
        """Show the run live if it has taken long enough; say whether it is shown."""
        if time.monotonic() - self._run.started < AFTER or (bundle := self._live(key, opened=False)) is None:
            return False
        self._place(key, bundle, key in self._lives)
        self._raised = key
        return True

    def _live(self, key: str, *, opened: bool) -> dict[str, Any] | None:
        """What shows the run live, in a display that says how it is from now on."""
        transient = {"display_id": f"sky-{self._id}-{key}"}

        def stand(bundle: dict[str, Any]) -> None:
            self._shell.display_pub.publish(bundle, hosting.metadata(), transient=transient, update=True)

        return runs.live(self._run, stand, opened=opened)

    def _final(self) -> dict[str, Any]:
        """What stays of the live run: its output is in the cell, which says where some of it was left out."""
        run = self._run
        bars = "\n".join(run.bars.lines(each=run.each, labelled=len(run.nodes) > 1))
        return {
            "text/plain": bars or run.head(),
            "text/html": still.page(run, ""),
        }

    def _place(self, key: str, data: dict[str, Any], update: bool) -> None:
        """Fill a display of this cell's."""
        said = hosting.metadata() if hosting.MIME in data else {}
        self._send(data, said, {"display_id": f"sky-{self._id}-{key}"}, update)

    def _send(self, data: dict[str, Any], metadata: dict[str, Any], transient: dict[str, Any], update: bool) -> None:
        self._begin()
        if not self._updates and isinstance(text := data.get("text/plain"), str):
            data = {**data, "text/plain": fitting(text, sys.stdout)}
        self._context.run(self._shell.display_pub.publish, data, metadata, transient=transient, update=update)


class RunScreen(CellScreen):
    """The display of a run in the background: all it writes and displays is in one place, live until it ends.

    Where no widget can be shown, the text is drawn anew now and then, in a terminal once it has ended.
    """

    raw = False

    def __init__(self, notebook: Notebook, pool: ComputePool, run: CellCourse) -> None:
        super().__init__(notebook, pool, run)
        shell = notebook.shell
        self._said: list[str] = []
        self._sections = ""
        self._drawn = time.monotonic()
        bundle = self._live("run", opened=True) if self._updates else None
        self._plain = self._updates and bundle is None
        if self._updates:
            self._place("run", bundle or run.still(), False)
        run.at_end(self._settle)
        run.shown_in = shell.execution_count

    def _places(self, notebook: Notebook, pool: ComputePool) -> Places:
        return Places()  # no other cell updates what is in its display

    def write(self, stream: str, text: str) -> None:
        """The run has it in its log already."""
        self._redraw()

    def say(self, stream: str, text: str) -> None:
        """Add text of this side."""
        self._said.append(text)
        self._run.log.add([], stream, text)
        self._body()

    def publish(self, ranks: Iterable[int], event: Display, labelled: bool) -> None:
        """Add a MIME bundle."""
        ranks = list(ranks)
        display_id = event.transient.get("display_id")
        key = f"{ranks[0]}-{display_id}" if display_id else ""
        self._run.displays.add(label(ranks) if labelled else "", event.data, key, update=event.update)
        self._redraw()

    def row(self, row: Row) -> None:
        """Add a row, or have it as it is now."""
        self._run.displays.add("", _row_bundle(row), row.id, update=bool(row.drawn))
        row.drawn = "row"
        self._redraw()

    def bundle(self, data: dict[str, Any], metadata: dict[str, Any]) -> None:
        """Add text of this side: the cell may take no more displays."""
        self.say("stdout", f"{data.get('text/plain', '')}\n")

    def text(self, text: str) -> None:
        """Add a value."""
        self.say("stdout", text + "\n")

    def live(self, key: str, text: str) -> None:
        """Bars are the run's own; sections by node take the place of its log in what stays."""
        if key == "nodes":
            self._sections = text
            self._body()
        self._redraw()

    def clear(self, wait: bool) -> None:
        """Empty the display."""
        self._said.clear()
        self._sections = ""
        self._run.clear()

    def crowded(self) -> None:
        """The run's log has its own bounds."""

    def end(self) -> None:
        """Nothing is held back."""

    def _body(self) -> None:
        if self._sections:
            self._run.body = "\n".join([self._sections, *(text.rstrip("\n") for text in self._said)])

    def _redraw(self) -> None:
        now = time.monotonic()
        if self._plain and now - self._drawn > AFTER / 2:
            self._drawn = now
            self._place("run", self._run.still(), True)

    def _settle(self) -> None:
        """The run has ended: what is shown from here on needs no kernel."""
        self._context = contextvars.copy_context()
        self._place("run", self._run.still(), self._updates)
        runs.drop(self._run)


def show_values(screen: CellScreen, shown: dict[int, Bundle], labelled: bool, *, beside: bool) -> None:
    """Show last expressions, equal ones once: plain ones as labelled lines together, rich ones `beside` each other."""
    groups = equal_bundles(shown)
    for kind, some in groupby(groups, lambda group: _kind_of_value(screen, group[1], labelled, beside=beside)):
        found = list(some)
        if kind == "line":
            screen.text("\n".join(_labelled(ranks, _plain(one)) if labelled else _plain(one) for ranks, one in found))
        elif kind == "row" and len(found) > 1:
            row = Row()
            for ranks, one in found:
                row.add(ranks, Display(ranks[0], one.data, one.metadata, {}))
            screen.row(row)
        else:
            for ranks, one in found:
                screen.publish(ranks, Display(ranks[0], one.data, one.metadata, {}), labelled)


def _kind_of_value(screen: CellScreen, bundle: Bundle, labelled: bool, *, beside: bool) -> str:
    if set(bundle.data) == {"text/plain"} and isinstance(bundle.data["text/plain"], str):
        return "line" if labelled or not screen.raw else "alone"
    return "row" if beside and labelled and screen.places is not None and rowpage.fits(bundle.data) else "alone"


def _plain(bundle: Bundle) -> str:
    return str(bundle.data["text/plain"])


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


def _row_bundle(row: Row) -> dict[str, Any]:
    return {"text/plain": rowpage.plain(row.figures), "text/html": rowpage.page(row.figures)}


def _labelled(ranks: list[int], text: str) -> str:
    return f"{label(ranks)}\n{text}" if "\n" in text else f"{label(ranks)} {text}"


def quiet_line(text: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """A line of ours about the cell, as a bundle that stays in the background."""
    return {"text/plain": text, "text/html": f"<div {_LABEL}>{html.escape(text)}</div>"}, {}


def _labels(ranks: Iterable[int]) -> tuple[dict[str, Any], dict[str, Any]]:
    return quiet_line(label(ranks))


def _write(stream: str, text: str) -> None:
    put(stream, text)
