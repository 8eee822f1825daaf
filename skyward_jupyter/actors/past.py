"""What is remembered of tasks that have ended: when the last ones were where, and how many ended lately.

Nothing of a task stays beside these numbers. They lie side by side in memory of their own: an object for each, made
while many tasks wait, would keep the memory around it from being given back once those have ended.
"""

from __future__ import annotations

import struct
import time
from array import array
from collections.abc import Iterator

#: How many tasks that ended are remembered with their times.
KEPT = 10_000
#: Tasks that end within so many seconds are counted together, and how many such counts are kept.
_STEP, _STEPS = 0.1, 100

type Times = tuple[int, str, int, float, float, float, float, float, str, int, int]

#: All of `Times` but the name of the task and of its error.
_ROW = struct.Struct("<qidddddiI")


class Past:
    """The times of the last tasks that ended, in the order in which they ended; the oldest make room for new ones."""

    def __init__(self, most: int = KEPT) -> None:
        self._most = most
        self._rows = bytearray()
        self._texts: list[str] = []
        #: How many there ever were.
        self.recorded = 0

    def append(self, times: Times) -> None:
        """Remember one more."""
        number, name, rank, queued, sent, began, ended, received, error, tries, cell = times
        row = number, rank, queued, sent, began, ended, received, tries, cell
        place = self.recorded % self._most
        if place * _ROW.size == len(self._rows):
            self._rows += _ROW.pack(*row)
            self._texts += (name, error)
        else:
            _ROW.pack_into(self._rows, place * _ROW.size, *row)
            self._texts[2 * place : 2 * place + 2] = name, error
        self.recorded += 1

    def __len__(self) -> int:
        return min(self.recorded, self._most)

    def __iter__(self) -> Iterator[Times]:
        return iter(self.last(len(self)))

    def last(self, count: int) -> list[Times]:
        """The last `count`."""
        return [self._at(number % self._most) for number in range(self.recorded - count, self.recorded)]

    def _at(self, place: int) -> Times:
        number, rank, queued, sent, began, ended, received, tries, cell = _ROW.unpack_from(
            self._rows, place * _ROW.size
        )
        name, error = self._texts[2 * place : 2 * place + 2]
        return number, name, rank, queued, sent, began, ended, received, error, tries, cell


class Throughput:
    """How many tasks ended per second lately."""

    def __init__(self) -> None:
        self._steps = array("q", bytes(8 * _STEPS))
        self._counts = array("q", bytes(8 * _STEPS))

    def count(self) -> None:
        """A task ended now."""
        step = int(time.monotonic() / _STEP)
        place = step % _STEPS
        if self._steps[place] != step:
            self._steps[place], self._counts[place] = step, 0
        self._counts[place] += 1

    def rate(self, window: float = 3.0) -> float:
        """Tasks ended per second over the last `window` seconds."""
        since = int((time.monotonic() - window) / _STEP)
        return sum(count for step, count in zip(self._steps, self._counts, strict=True) if step > since) / window
