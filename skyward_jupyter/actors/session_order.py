"""The order of session tasks: a node runs them as they were called, whichever way each is sent.

A broadcast travels through the head and a task for fewer nodes does not, so that the later of two could come first.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from functools import partial

from skyward_jupyter.actors.desk import TaskEntry


class SessionOrder:
    """The session tasks of a pool that have not ended, by node; what one gave is not kept here."""

    def __init__(self) -> None:
        self._unended: defaultdict[int, dict[int, TaskEntry]] = defaultdict(dict)
        self._by_head: set[int] = set()

    def add(self, entries: Sequence[TaskEntry]) -> bool:
        """Take session tasks that are called now; returns whether earlier ones have not ended on their nodes."""
        behind = False
        for entry in entries:
            assert entry.rank is not None
            line = self._unended[entry.rank]
            behind = behind or any(not one.outcome.done() for one in line.values())
            line[entry.id] = entry
            entry.outcome.add_done_callback(partial(self._ended, entry.rank, entry.id))
        return behind

    def goes_by_head(self, entries: Iterable[TaskEntry]) -> None:
        """Note that tasks are broadcast, so that it is not known when they come."""
        self._by_head.update(entry.id for entry in entries)

    def not_sent_directly(self, ranks: Iterable[int | None]) -> list[TaskEntry]:
        """Return the tasks on these nodes that were broadcast, in order; from now on each counts as sent directly."""
        lines = [self._unended[rank].values() for rank in ranks if rank is not None]
        found = [one for line in lines for one in line if one.id in self._by_head and not one.outcome.done()]
        self._by_head.difference_update(one.id for one in found)
        return found

    def _ended(self, rank: int, number: int, _: object) -> None:
        self._unended[rank].pop(number, None)
        self._by_head.discard(number)
