"""The live view of a run: one widget model per run, however often it is displayed.

The page gets a small snapshot as a trait and numbered deltas as messages: at most ten a second, of bounded size, and
none while nobody sees a view. Of the log the newest lines go first; what could not be sent in time follows when there
is room, and a page that is new asks for all of it. When the run is over, whatever displays it is replaced by text and
HTML that need no kernel, and the model is closed.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import uuid4

import traitlets

from skyward_jupyter.widgets.runsource import Log, LoggedLine, RunSource
from skyward_jupyter.widgets.view import Bundle, View, page

FAMILY = "run"

TICK = 0.1
#: Characters and lines of the log in one message: together at most a quarter of what a server lets through.
CHARACTERS = 24_000
LINES = 1_000

_LINE_COST = 24


class Unsent:
    """Which lines of a log the pages lack, and the next of them to send: the newest first."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._sent = log.first
        self._gaps: list[list[int]] = []

    def again(self) -> None:
        """Some page has nothing yet."""
        self._gaps.clear()
        self._sent = self._log.first

    @property
    def any(self) -> bool:
        """Whether there is something to send."""
        return bool(self._gaps) or self._sent < self._log.end

    def take(self) -> list[tuple[int, Sequence[LoggedLine]]]:
        """Lines that fit into one message, in pieces with the number of the first of each."""
        self._note()
        room, left = CHARACTERS, LINES
        pieces: list[tuple[int, Sequence[LoggedLine]]] = []
        while self._gaps and room > 0 and left > 0:
            gap = self._gaps[-1]
            gap[0] = max(gap[0], self._log.first)
            lines = self._log.lines(max(gap[0], gap[1] - left), gap[1])
            taken, room = _fitting(lines, room)
            left -= len(taken)
            gap[1] -= len(taken)
            if taken:
                pieces.append((gap[1], taken))
            if gap[1] <= gap[0]:
                self._gaps.pop()
        return pieces

    def _note(self) -> None:
        end = self._log.end
        if self._sent < end:
            if self._gaps and self._gaps[-1][1] == self._sent:
                self._gaps[-1][1] = end
            else:
                self._gaps.append([self._sent, end])
            self._sent = end


def _fitting(lines: Sequence[LoggedLine], room: int) -> tuple[Sequence[LoggedLine], int]:
    """The last of the lines that fit into so much room, at least one, and the room that is left."""
    for count, line in enumerate(reversed(lines)):
        room -= len(line.text) + _LINE_COST
        if room <= 0:
            return lines[len(lines) - count - 1 :], 0
    return lines, room


class RunWidget(View):
    """The widget model of one run.

    Parameters
    ----------
    source
        The run to follow.
    opened
        Whether its log is open from the start.
    """

    _esm, _css = page(FAMILY)

    snapshot = traitlets.Dict().tag(sync=True)
    opened = traitlets.Bool(False).tag(sync=True)
    name = traitlets.Unicode("").tag(sync=True)

    def __init__(self, source: RunSource, *, opened: bool) -> None:
        from skyward_jupyter.runtime.bridge import runtime

        self._runtime = runtime()
        self._source = source
        self._unsent = Unsent(source.log)
        self._ticking = False
        self._over = False
        self._seq = 0
        self._stale = False
        self._bars = -1
        self._pictures: list[tuple[str, str]] = []
        self._bounds: tuple[int, int, int] = (0, 0, 0)
        super().__init__(snapshot=source.snapshot(), opened=opened, name=uuid4().hex)
        self._attached = source.attach(self)

    @property
    def over(self) -> bool:
        """Whether it is closed: `runs` replaces what displays a run at its end."""
        return self._over

    @property
    def ended_there(self) -> bool:
        """Whether its pages expect nothing any more."""
        return self._over or self.snapshot["state"] != "running"

    @property
    def gist(self) -> object:
        """Where it stands and how much it has written."""
        source = self._source
        snapshot = source.snapshot()
        return snapshot["state"], snapshot["nodes"], source.log.end, source.bars_version, len(source.pictures)

    def still(self) -> Bundle:
        """The forms that need no kernel."""
        return self._source.still()

    def changed(self) -> None:
        """Show the slow state, with the next tick."""
        self._stale = True
        self._wake()

    def close(self) -> None:
        """Close the widget in every front end, which keep how it ended where they do not know what displays it."""
        if not self._over and self._sights:
            self.snapshot = dict(self._source.snapshot())
        self._over = True
        super().close()

    def _see(self, view: str, visible: bool) -> None:
        self._runtime.call_soon(lambda: self._sight(view, visible))

    def _hear(self, content: Mapping[str, object]) -> None:
        match content:
            case {"kind": "want"}:
                self._runtime.call_soon(self._again)
            case {"kind": "stop"}:
                self._source.cancel()

    def _sight(self, view: str, visible: bool) -> None:
        if visible:
            self._sights.see(view)
        else:
            self._sights.leave(view)
        self._wake()

    def _again(self) -> None:
        self._unsent.again()
        self._bars, self._pictures, self._bounds = -1, [], (0, 0, 0)
        self._wake()

    def _wake(self) -> None:
        if not self._ticking and not self._over and self._sights:
            self._ticking = True
            self._runtime.loop.call_later(TICK, self._tick)

    def _tick(self) -> None:
        """Send what is new; tick on while somebody sees it and the run goes on, or something is left to send."""
        self._ticking = False
        for view in self._sights.silent():
            self._sights.leave(view)
        if self._over or not self._sights:
            return
        if self._stale:
            self._stale = False
            self.snapshot = dict(self._source.snapshot())
        if delta := self._delta():
            self._seq += 1
            self.send({"kind": "delta", "seq": self._seq, "at": time.time(), **delta})
        if self.snapshot["state"] == "running" or self._unsent.any or self._stale:
            self._wake()

    def _delta(self) -> dict[str, Any]:
        """What has changed since the last time."""
        log, source = self._source.log, self._source
        delta: dict[str, Any] = {}
        pieces = self._unsent.take()
        if pieces:
            delta["rows"] = [
                [start, [[line.ranks, int(line.stream == "stderr"), line.text] for line in lines]]
                for start, lines in pieces
            ]
        if (bounds := (log.first, log.end, log.missing)) != self._bounds:
            delta["log"] = self._bounds = bounds
        if source.bars_version != self._bars:
            self._bars = source.bars_version
            delta["bars"] = source.bars_shown()
        pictures = source.pictures
        if len(pictures) < len(self._pictures):
            del self._pictures[len(pictures) :]
            delta["pictures"] = [len(pictures), 0, []]
        for place, picture in enumerate(pictures):
            if place == len(self._pictures) or self._pictures[place] is not picture:
                self._pictures[place:] = [picture, *self._pictures[place + 1 :]]
                delta["pictures"] = [len(self._pictures), place, list(picture)]
                break
        return delta
