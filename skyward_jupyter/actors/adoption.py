"""Tasks that another kernel sent to the nodes of a pool, as the one that took the pool over has them."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field

from skyward_jupyter.actors.desk import TaskEntry
from skyward_jupyter.actors.hub import Hub
from skyward_jupyter.providers.records import WaitingRun
from skyward_jupyter.wire.events import Output, TaskEvent
from skyward_jupyter.wire.messages import Code, Known

#: Characters of output that are kept of one run.
OUTPUT_BOUND = 64 * 2**20

_NO_CODE = Code("", b"")


@dataclass(slots=True, eq=False)
class Kept:
    """A run that another kernel started: its tasks that were not over for it, and what they wrote since.

    Attributes
    ----------
    number
        The id of its first task; those of the others follow it.
    parts
        How many tasks it had.
    adopted
        Whether it was another kernel that started it.
    separate
        Whether these are single calls that waited one behind the other.
    """

    number: int
    parts: int
    label: str
    session: bool
    since: float
    adopted: bool = False
    separate: bool = False
    entries: dict[int, TaskEntry] = field(default_factory=dict)
    outputs: deque[Output] = field(default_factory=deque)
    size: int = 0

    def take(self, event: TaskEvent) -> None:
        """Keep what it writes."""
        if not isinstance(event, Output):
            return
        self.outputs.append(event)
        self.size += len(event.text)
        while self.size > OUTPUT_BOUND:
            self.size -= len(self.outputs.popleft().text)


def expect(hub: Hub, waiting: Iterable[WaitingRun]) -> None:
    """Know of runs whose calls waited in another kernel when it ended, whether or not nodes have some of them."""
    for run in waiting:
        kept = Kept(run.number, run.parts, run.label, False, run.since, adopted=True, separate=run.separate)
        # Single calls that were sent after all are runs of their own.
        hub.kept[-run.number if run.separate else run.number] = kept


def adopt(hub: Hub, rank: int, known: Known) -> TaskEntry:
    """Follow a task that another kernel sent to a node."""
    run, since = hub.kept.get(known.run), time.time() - known.age
    if run is None:
        run = Kept(known.run, known.parts, known.label, known.session, since, adopted=True)
        hub.kept[known.run] = run
    run.since = min(run.since, since)
    entry = run.entries[known.task] = TaskEntry(
        id=known.task,
        code=_NO_CODE,
        args=b"",
        outcome=asyncio.get_running_loop().create_future(),
        session=known.session,
        rank=rank,
        on_event=run.take,
        yields=asyncio.Queue() if known.streams else None,
        run=known.run,
        parts=known.parts,
        label=known.label,
        adopted=True,
        had=known.had,
    )
    hub.desk.tasks[entry.id] = entry
    return entry
