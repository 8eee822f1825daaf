"""How the tasks of a pool ended: done, failed and cancelled apart, by the node they ended on.

What is counted stays: a node that leaves or is replaced takes nothing away, and a kernel that takes the pool over goes
on from what the one before had counted.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

#: The errors of tasks that were stopped by somebody.
CANCELLED = frozenset({"TaskInterrupted", "KeyboardInterrupt"})
#: The errors of tasks that ended as they should although their result cannot be had here.
DONE = frozenset({"", "ResultGone"})
#: The rank of tasks that ended before a node had them.
NOWHERE = -1

#: For a record: a rank, the three counts, and how many ends came from the process that the node is now.
type Counted = tuple[int, int, int, int, int]


@dataclass(slots=True)
class Tally:
    """How many tasks ended in which way."""

    done: int = 0
    failed: int = 0
    cancelled: int = 0

    def __add__(self, other: Tally) -> Tally:
        return Tally(self.done + other.done, self.failed + other.failed, self.cancelled + other.cancelled)

    def __str__(self) -> str:
        said = f"{self.done:,} task{'' if self.done == 1 else 's'} done"
        more = ((self.failed, "failed"), (self.cancelled, "cancelled"))
        return ", ".join([said, *(f"{count:,} {what}" for count, what in more if count)])

    @property
    def ended(self) -> int:
        """All of them."""
        return self.done + self.failed + self.cancelled

    def count(self, error: str) -> None:
        """A task ended, with an error of this name, or without one."""
        if error in DONE:
            self.done += 1
        elif error in CANCELLED:
            self.cancelled += 1
        else:
            self.failed += 1

    def behind(self, other: Tally, seen: int) -> Tally:
        """What brings this one to as many ends as a node counted beyond the `seen` ones that were counted here.

        Which of them failed is the node's word as far as it can be: the number of all is exact.
        """
        lacking = other.ended - seen
        failed = max(0, min(other.failed - self.failed, lacking))
        cancelled = max(0, min(other.cancelled - self.cancelled, lacking - failed))
        return Tally(lacking - failed - cancelled, failed, cancelled)


class Tallies:
    """The tallies of one pool, by rank."""

    def __init__(self) -> None:
        self._by_rank: dict[int, Tally] = {}
        self._came: dict[int, int] = {}

    @property
    def total(self) -> Tally:
        """Of all tasks that ever ended."""
        return sum(self._by_rank.values(), Tally())

    def of(self, rank: int) -> Tally:
        """Of those that ended on the nodes that had this rank."""
        return self._by_rank.get(rank) or Tally()

    def count(self, rank: int, error: str | None) -> None:
        """A task ended; None is the end of a cell that did not run."""
        if error is not None:
            self._by_rank.setdefault(rank, Tally()).count(error)
        self._came[rank] = self._came.get(rank, 0) + 1

    def fresh(self, rank: int) -> None:
        """Another process is the node of this rank now."""
        self._came.pop(rank, None)

    def record(self) -> tuple[Counted, ...]:
        """For the record of the pool."""
        return tuple(
            (rank, it.done, it.failed, it.cancelled, self._came.get(rank, 0))
            for rank, it in sorted(self._by_rank.items())
        )

    def take(self, recorded: Iterable[Counted]) -> None:
        """Go on from a record."""
        for rank, done, failed, cancelled, came in recorded:
            self._by_rank[rank], self._came[rank] = Tally(done, failed, cancelled), came

    def adopt(self, rank: int, counted: tuple[int, int, int], to_come: int) -> None:
        """A node says how the tasks ended that it was given; the ends of some of them are still to come here."""
        own, node = self.of(rank), Tally(*counted)
        self._by_rank[rank] = own + own.behind(node, self._came.get(rank, 0) + to_come)
        self._came[rank] = node.ended - to_come


class Jobs:
    """How the jobs of each node ended that others sent over HTTP: a process that takes a node's place counts anew."""

    def __init__(self) -> None:
        self._before: dict[int, Tally] = {}
        self._last: dict[int, Tally] = {}
        #: How many run, by rank.
        self.running: Mapping[int, int] = {}

    @property
    def total(self) -> Tally:
        """Of all that were heard of."""
        return sum((*self._before.values(), *self._last.values()), Tally())

    def of(self, rank: int) -> Tally:
        """Of the nodes that had this rank."""
        return self._before.get(rank, Tally()) + self._last.get(rank, Tally())

    def heard(self, rank: int, counted: tuple[int, int, int]) -> None:
        """A node tells its own."""
        now, last = Tally(*counted), self._last.get(rank, Tally())
        if now.ended < last.ended:
            self._before[rank] = self._before.get(rank, Tally()) + last
        self._last[rank] = now
