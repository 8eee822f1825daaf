"""Which cell a node's session runs, and which wait behind it: a session runs one at a time, in the order they came."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable
from typing import Protocol


class Part(Protocol):
    """A run, as far as its turn is concerned."""

    def turn(self, rank: int) -> None:
        """It is this run's turn on a node."""
        ...


class Queues:
    """The runs of one pool, by node."""

    def __init__(self) -> None:
        self._waiting: defaultdict[int, deque[Part]] = defaultdict(deque)

    def enter(self, run: Part, ranks: Iterable[int]) -> None:
        """A run was sent to these nodes."""
        for rank in ranks:
            self._waiting[rank].append(run)
            if self._waiting[rank][0] is run:
                run.turn(rank)

    @property
    def runs(self) -> list[Part]:
        """Those that run or wait on some node."""
        found = {id(run): run for waiting in self._waiting.values() for run in waiting}
        return list(found.values())

    def leave(self, run: Part, rank: int) -> None:
        """Its part on a node has ended, if it did not before."""
        waiting = self._waiting[rank]
        if run not in waiting:
            return
        first = waiting[0] is run
        waiting.remove(run)
        if first and waiting:
            waiting[0].turn(rank)

    def leave_all(self, run: Part) -> None:
        """It has ended on every node."""
        for rank in list(self._waiting):
            self.leave(run, rank)
