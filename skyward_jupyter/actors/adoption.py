"""Tasks that another kernel sent to the nodes of a pool, as the one that took the pool over has them."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, field

from skyward_jupyter.actors.desk import TaskEntry
from skyward_jupyter.actors.hub import Hub
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
        The id of its first task.
    parts
        How many tasks it had.
    """

    number: int
    parts: int
    label: str
    session: bool
    since: float
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


def adopt(hub: Hub, rank: int, known: Known) -> TaskEntry:
    """Follow a task that another kernel sent to a node."""
    run = hub.kept.get(known.run)
    if run is None:
        run = hub.kept[known.run] = Kept(known.run, known.parts, known.label, known.session, known.since)
    run.since = min(run.since, known.since)
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
