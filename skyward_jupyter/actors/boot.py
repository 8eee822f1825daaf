"""What a node's start says: its steps, each with when it began and how long it took, and what they wrote.

It is bounded: of more lines than are kept those that a step wrote go first.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

#: The most entries that are kept, and the most characters of one.
KEPT = 40
_LONGEST = 300
#: A step that was shorter needs no duration (seconds).
_WORTH = 0.1


@dataclass(frozen=True, slots=True)
class Entry:
    """A step that began, or a line that it wrote."""

    at: float
    text: str
    step: bool


@dataclass(frozen=True, slots=True)
class Boot:
    """The start of one node, so far.

    Attributes
    ----------
    entries
        The last ones.
    since
        When the present step began, in seconds since the epoch.
    said
        What that wrote last.
    """

    entries: tuple[Entry, ...] = ()
    since: float = 0.0
    said: str = ""

    def step(self, text: str) -> Boot:
        """A step begins."""
        now = time.time()
        return Boot(_bounded((*self.entries, Entry(now, text, True))), now)

    def line(self, text: str) -> Boot:
        """The present step wrote a line."""
        text = text[:_LONGEST]
        return Boot(_bounded((*self.entries, Entry(time.time(), text, False))), self.since, text)

    def lines(self) -> list[str]:
        """All of it for people."""
        steps = [entry.at for entry in self.entries if entry.step]
        ends = iter([*steps[1:], 0.0])
        return [_line(entry, next(ends) if entry.step else 0.0) for entry in self.entries]


def _line(entry: Entry, ended: float) -> str:
    clock = time.strftime("%H:%M:%S", time.localtime(entry.at))
    took = ended - entry.at
    seconds = f"  {took:.1f} s" if took >= _WORTH else ""
    return f"{clock}  {entry.text}{seconds}" if entry.step else f"{clock}    {entry.text}"


def _bounded(entries: Sequence[Entry]) -> tuple[Entry, ...]:
    if len(entries) <= KEPT:
        return tuple(entries)
    drop = next((place for place, entry in enumerate(entries) if not entry.step), 0)
    return (*entries[:drop], *entries[drop + 1 :])
