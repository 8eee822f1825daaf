"""The live dashboard of a pool.

One pool has one widget model, however often it is displayed. While the pool lives the model follows
its `PanelSource`; when the pool is over it keeps the final state and follows nothing.

What a page says is passed on to the source, which is thread-safe. Without the built script `show` gives the text and
HTML forms only.
"""

from __future__ import annotations

import time
from collections.abc import Mapping

import traitlets

from skyward_jupyter.actors.source import OVER, Delta, Ended, PanelSource, Snapshot
from skyward_jupyter.runtime.cells import kernel_shell
from skyward_jupyter.widgets.static import Picture
from skyward_jupyter.widgets.tasks import live, packed
from skyward_jupyter.widgets.view import UNBUILT, Bundle, View, built, page
from skyward_jupyter.widgets.view import present as display

FAMILY = "dashboard"

FOLDED = -1
"""What a view says instead of how many tasks it has, when it shows none."""

STALE = 3.0
"""Seconds for which live numbers say something of now."""

LOGGED = 200
"""The most lines of a node's boot log that travel to the page."""

_dashboards: dict[int, Dashboard] = {}
"""The dashboard of each source by the source's id, which stays its own: a dashboard keeps its source."""


class Dashboard(View):
    """The widget model of one pool.

    Parameters
    ----------
    source
        The pool to follow until it is over or this widget is closed.
    """

    _esm, _css = page(FAMILY)

    snapshot = traitlets.Dict().tag(sync=True)
    logs = traitlets.Dict().tag(sync=True)
    last = traitlets.Dict().tag(sync=True)
    ended = traitlets.Float(0.0).tag(sync=True)

    def __init__(self, source: PanelSource) -> None:
        self._source = source
        self._current = source.snapshot()
        self._delta: Delta | None = None
        self._drawing: set[str] = set()
        super().__init__(snapshot=_slim(self._current), logs=_logs(self._current))
        self._screen = _Screen(self)
        self._attached = source.attach(self._screen)

    @property
    def source(self) -> PanelSource:
        """The pool it shows."""
        return self._source

    @property
    def over(self) -> bool:
        """Whether the pool is."""
        return bool(self.ended)

    @property
    def picture(self) -> Picture:
        """What is known of the pool now, for the forms that are not live."""
        snapshot = self._current if self.over else self._source.snapshot()
        delta = self._delta if self._delta is not None and (self.over or self._agrees(snapshot)) else None
        return Picture(snapshot, delta, self.ended or time.time(), self._source.ended().times)

    def _agrees(self, snapshot: Snapshot) -> bool:
        """Whether the numbers that came last are of the same moment, about."""
        delta = self._delta
        return delta is not None and time.time() - delta.at < STALE and delta.tally == snapshot["ended"]

    @property
    def gist(self) -> object:
        """What its nodes do and how many tasks have ended; the numbers that always change are not worth it."""
        snapshot = self._source.snapshot()
        nodes = [(node["rank"], node["state"], node["phase"], node["reachable"]) for node in snapshot["nodes"]]
        return snapshot["state"], snapshot["note"], nodes, snapshot["ended"], self._agrees(snapshot)

    def still(self) -> Bundle:
        """The forms that need no kernel."""
        return static(self.picture)

    def take(self, snapshot: Snapshot) -> None:
        """Show the pool's slow state; logs travel only when they changed."""
        self._current = snapshot
        with self.hold_sync():
            self.logs = _logs(snapshot)
            self.snapshot = _slim(snapshot)

    def tick(self, delta: Delta) -> None:
        """Pass live numbers to the page, and forget the views that fell silent."""
        self._delta = delta
        content: dict[str, object] = {"kind": "delta", "seq": delta.seq, "at": delta.at, "queued": delta.queued}
        content |= {"rate": delta.rate, "so_far": delta.so_far, "ended": delta.tally}
        if delta.faults:
            content["faults"] = {str(rank): faults for rank, faults in delta.faults.items()}
        if delta.gpus:
            content["gpus"] = {
                str(rank): [[gpu.index, gpu.busy, gpu.memory, gpu.total] for gpu in gpus]
                for rank, gpus in delta.gpus.items()
            }
        if delta.ongoing is not None:
            content["live"] = live(delta.ongoing)
        buffers = [delta.rows]
        if delta.ended is not None:
            content["tasks"], rows = packed(delta.ended)
            buffers.append(rows)
        self.send(content, buffers=buffers)
        for view in self._sights.silent():
            self._see(view, False)

    def finish(self, snapshot: Snapshot) -> None:
        """Show the final state and follow the pool no longer."""
        self._leave()
        with self.hold_sync():
            self.last = _totals(self._delta, snapshot) | _tasks(self._source.ended())
            self.ended = time.time()
            self.take(snapshot)
        self._settled()

    def _forget(self) -> None:
        _dashboards.pop(id(self._source), None)

    def _hear(self, content: Mapping[str, object]) -> None:
        match content:
            case {"kind": "tasks", "after": int(after), "view": str(view)}:
                self._draw(view, after)
            case {"kind": str()} if not self.over:
                self._source.command(self._screen, content)

    def _see(self, view: str, visible: bool) -> None:
        """Tell the source at every renewal too, so that a tick that expired the view just now is mended."""
        if visible:
            self._sights.see(view)
        elif not self._sights.leave(view):
            return
        else:
            self._draw(view, FOLDED)
        if not self.over:
            self._source.visible(self._screen, bool(self._sights))

    def _draw(self, view: str, after: int) -> None:
        """A page's view has the tasks up to the `after`-th and wants the next ones, or shows none."""
        if after != FOLDED:
            self._drawing.add(view)
            self._source.draw(self._screen, after)
        elif view in self._drawing:
            self._drawing.discard(view)
            if not self._drawing:
                self._source.draw(self._screen, None)


class _Screen:
    """The dashboard as its source knows it: a widget's own `close` means another thing."""

    def __init__(self, dashboard: Dashboard) -> None:
        self._dashboard = dashboard

    def show(self, snapshot: Snapshot) -> None:
        self._dashboard.take(snapshot)

    def delta(self, delta: Delta) -> None:
        self._dashboard.tick(delta)

    def refuse(self, sentence: str) -> None:
        self._dashboard.send({"kind": "refusal", "sentence": sentence})

    def close(self, snapshot: Snapshot) -> None:
        self._dashboard.finish(snapshot)


def show(source: PanelSource) -> Bundle:
    """Return the MIME bundle that displays a pool: live where that can be, text and HTML always.

    A pool's `_repr_mimebundle_` returns this as it is.

    Live needs a kernel, the built script and a pool that is not over. Each pool has one widget
    model, which every display of it shares.
    """
    if known := _dashboards.get(id(source)):
        return known.bundle()
    snapshot = source.snapshot()
    picture = Picture(snapshot, None, time.time(), source.ended().times)
    if snapshot["state"] in OVER or kernel_shell() is None:
        return static(picture)
    if not built(FAMILY):
        return static(picture, UNBUILT)
    return of(source).bundle()


def of(source: PanelSource) -> Dashboard:
    """Return the one widget model of a pool."""
    if id(source) not in _dashboards:
        _dashboards[id(source)] = Dashboard(source)
    return _dashboards[id(source)]


def present(source: PanelSource) -> None:
    """Display a pool as `show` does; when it is over, only the final text and HTML remain there."""
    bundle = show(source)
    display(bundle, _dashboards.get(id(source)))


def renew(source: PanelSource) -> None:
    """Something has changed that a saved notebook should say."""
    if dashboard := _dashboards.get(id(source)):
        dashboard.renew()


def static(picture: Picture, note: str = "") -> Bundle:
    """Return the forms of a pool that need no kernel; `note` is a sentence to add."""
    plain = picture.plain()
    return {"text/plain": f"{plain}\n{note}" if note else plain, "text/html": picture.html(note)}


def _slim(snapshot: Snapshot) -> dict[str, object]:
    """Return the snapshot without the logs, which are long and seldom change."""
    nodes = [{name: value for name, value in node.items() if name != "log"} for node in snapshot["nodes"]]
    return {**snapshot, "nodes": nodes}


def _logs(snapshot: Snapshot) -> dict[str, list[str]]:
    return {str(node["rank"]): node["log"][-LOGGED:] for node in snapshot["nodes"]}


def _tasks(ended: Ended) -> dict[str, object]:
    header, rows = packed(ended)
    return {"tasks": header | {"rows": rows}}


def _totals(delta: Delta | None, snapshot: Snapshot) -> dict[str, object]:
    done = [row[4] for row in delta.table()] if delta is not None else []
    return {"finished": max(snapshot["ended"][0], delta.tally[0] if delta is not None else 0), "done": done}
