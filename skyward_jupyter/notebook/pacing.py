"""How much of a cell's output goes to the page: no more than the notebook server lets through, and what is left out.

A Jupyter server drops output above 1,000 messages or 1 MB of text a second, both over three seconds. Text may come in
a burst of `BURST` and go on at `RATE`; displays go out a few at a time.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise

from skyward_jupyter.wire.events import Display

#: At most this many characters are written in a cell;
CELL_LIMIT = 4_000_000
#: so many at once, and a second.
BURST = 1_200_000
RATE = 400_000
#: Displays in a tick, and how many pieces of output wait for the next.
DISPLAYS_A_TICK = 20
HELD = 400
#: Of what is beyond, this many of the last pieces are shown; of what was beyond for a moment, less of each.
TAIL = 50
#: So often in a tick the text goes from one stream to the other; what is beyond has its streams one after the other.
TURNS = 10
_LONGEST = 20_000
_SHORT = 500
_LABEL = 8


@dataclass(slots=True)
class Entry:
    """A piece of output.

    Attributes
    ----------
    ranks
        The nodes it came from.
    event
        What is displayed, when it is no text.
    place
        Where it stands among what these nodes wrote in a tick.
    """

    stream: str
    text: str
    ranks: list[int] = field(default_factory=list)
    event: Display | None = None
    place: int = 0


class Skipped:
    """Lines that are not shown: how many, and the last of them."""

    def __init__(self, longest: int = _LONGEST) -> None:
        self.lines = 0
        self.tail: deque[Entry] = deque(maxlen=TAIL)
        self._longest = longest

    @staticmethod
    def for_a_moment() -> Skipped:
        """One for what is skipped again and again: its tail is small."""
        return Skipped(longest=_SHORT)

    @property
    def hidden(self) -> int:
        """How many are not even in the tail."""
        return self.lines - sum(entry.text.count("\n") for entry in self.tail)

    def add(self, entry: Entry) -> None:
        """Take one that is not shown now."""
        self.lines += max(entry.text.count("\n"), 1)
        if len(entry.text) > self._longest:
            self.tail.clear()  # what comes before its end is missing
        self.tail.append(Entry(entry.stream, entry.text[-self._longest :], entry.ranks))

    def clear(self) -> None:
        """They were told of."""
        self.lines = 0
        self.tail.clear()


class Pace:
    """Decides what of a cell's output is shown now, what later, and what not.

    Attributes
    ----------
    late
        How many pieces were given up because too many waited.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.late = 0
        self._clock = clock
        self._written = 0
        self._room = float(BURST)
        self._then = clock()
        self._held: deque[Entry] = deque()

    @property
    def holds(self) -> bool:
        """Whether something waits to be shown later."""
        return bool(self._held)

    def let_through(self, entries: list[Entry], for_now: Skipped, for_good: Skipped) -> list[Entry]:
        """What of `entries`, and of what was held before, is shown now."""
        self._refill()
        waiting, self._held = [*self._held, *entries], deque()
        shown: list[Entry] = []
        for entry in self._due(waiting):
            self._one(entry, shown, for_now, for_good)
        return shown

    def _due(self, entries: list[Entry]) -> list[Entry]:
        """What goes out now; from the first display too many on everything waits, and of that the last is kept."""
        displays = [place for place, entry in enumerate(entries) if entry.event is not None]
        if len(displays) <= DISPLAYS_A_TICK:
            return entries
        cut = displays[DISPLAYS_A_TICK]
        self._held.extend(entries[cut:])
        while len(self._held) > HELD:
            self._held.popleft()
            self.late += 1
        return entries[:cut]

    def rest(self) -> list[Entry]:
        """All that was held."""
        rest, self._held = list(self._held), deque()
        return rest

    def charge(self, text: str) -> None:
        """Text that was written though nobody asked here."""
        self._written += len(text)
        self._room -= _cost(text)

    def _one(self, entry: Entry, shown: list[Entry], for_now: Skipped, for_good: Skipped) -> None:
        cost = _cost(entry.text)
        if entry.event is not None:
            shown.append(entry)
        elif self._written > CELL_LIMIT:
            for_good.add(entry)
        elif cost > self._room or for_now.lines:  # what follows stays behind it
            for_now.add(entry)
        else:
            self._written += len(entry.text)
            self._room -= cost
            shown.append(entry)

    def _refill(self) -> None:
        now = self._clock()
        self._room = min(self._room + (now - self._then) * RATE, BURST)
        self._then = now


def in_few_turns(entries: list[Entry]) -> list[Entry]:
    """The same in an order that makes few messages: every turn from one stream to the other makes one."""
    turns = 0
    for place, (before, entry) in enumerate(pairwise(entries), 1):
        turns += before.stream != entry.stream
        if turns > TURNS:
            return entries[:place] + _streams_apart(entries[place:])
    return entries


def _streams_apart(entries: list[Entry]) -> list[Entry]:
    """Between one display and the next, first one stream, then the other."""
    ordered: list[Entry] = []
    text: list[Entry] = []
    for entry in entries:
        if entry.event is None:
            text.append(entry)
            continue
        ordered += [*sorted(text, key=lambda one: one.stream, reverse=True), entry]
        text.clear()
    return ordered + sorted(text, key=lambda one: one.stream, reverse=True)


def _cost(text: str) -> int:
    """About how many bytes it is on the wire, with its label."""
    return len(text) * (1 if text.isascii() else 3) + text.count("\n") + _LABEL
