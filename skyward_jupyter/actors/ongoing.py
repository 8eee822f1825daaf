"""The tasks of a pool that have not ended, for who draws them: what runs where since when, and what waits.

Bounded whatever the pool has to do: what runs comes first, then what waits on a node, then the first ones of the queue.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice

from skyward_jupyter.actors.desk import Desk, TaskEntry
from skyward_jupyter.wire.messages import Load

#: So many of the oldest tasks in flight are looked at, and so many are told of.
LOOKED = 2000
RUNNING, WAITING, QUEUED = 400, 200, 12


@dataclass(frozen=True, slots=True)
class Ongoing:
    """One task that has not ended: in seconds since the epoch, when it was called, sent and begun.

    `node` is -1, and `sent` 0, while it waits here for a free slot; `began` is 0 while it waits anywhere. `cell` is as
    of `skyward_jupyter.events.TaskTimes`.
    """

    task: int
    name: str
    node: int
    queued: float
    sent: float
    began: float
    cell: int


class Begun:
    """When the tasks that run began, by what nodes said of them last."""

    def __init__(self) -> None:
        self._began: dict[int, float] = {}

    def heard(self, loads: Mapping[int, Load], now: float, desk: Desk) -> None:
        """Nodes tell for how long their tasks have run; of those that said nothing, what is known stays."""
        known = {task: began for task, began in self._began.items() if task in desk.tasks}
        for load in loads.values():
            for task, seconds in load.tasks:
                known.setdefault(task, now - seconds)
        self._began = known

    def of(self, entry: TaskEntry) -> float:
        """When a task began; 0 while it waits."""
        return max(self._began[entry.id], entry.sent) if entry.id in self._began else 0.0


def ongoing(desk: Desk, begun: Begun) -> tuple[Ongoing, ...]:
    """What runs and what waits, as far as it is told of."""
    running: list[Ongoing] = []
    waiting: list[Ongoing] = []
    queued: list[Ongoing] = []
    for entry in islice(desk.tasks.values(), LOOKED):
        if entry.outcome.done():
            continue
        there = entry.rank is not None and entry.sent > 0
        began = begun.of(entry) if there else 0.0
        group, most = (running, RUNNING) if began else (waiting, WAITING) if there else (queued, QUEUED)
        if len(group) < most:
            name = "cell" if entry.session else entry.name or entry.label
            rank = entry.rank if there and entry.rank is not None else -1
            group.append(Ongoing(entry.id, name, rank, entry.queued, entry.sent, began, entry.cell))
    return (*running, *waiting, *queued)
