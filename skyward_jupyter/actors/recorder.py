"""Keeps the record of one pool on disk up to date, from its start to its end."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from skyward_jupyter.actors.desk import TaskEntry
from skyward_jupyter.actors.hub import Hub
from skyward_jupyter.agent.lease import started
from skyward_jupyter.providers import records
from skyward_jupyter.providers.records import NodeRecord, PoolRecord, WaitingRun

#: Nodes come and go in groups: what changes is written after so many seconds, and so many more for each node, as
#: writing takes longer then.
WRITE_AFTER, MORE_FOR_EACH = 0.05, 0.004
#: Calls that wait in the queue for so many seconds are recorded, as so many runs at most.
NOTE_AFTER = 1.0
#: How tasks ended is written at once, and then so many seconds after the last time.
COUNT_EVERY = 1.0
MOST_NOTED = 100

log = logging.getLogger("skyward")


class Recorder:
    """The record of a pool that this process drives.

    A pool works without its record where none can be written; nobody can attach to it then, which is said once.

    Parameters
    ----------
    taken
        Called when it turns out that another process took the pool over.
    """

    def __init__(self, hub: Hub, record: PoolRecord, taken: Callable[[], None]) -> None:
        self._hub = hub
        self._taken = taken
        self._since: dict[int, float] = {}
        self._writing: asyncio.TimerHandle | None = None
        self._noting: asyncio.TimerHandle | None = None
        self._waiting: tuple[WaitingRun, ...] = ()
        self._counting: asyncio.TimerHandle | None = None
        self._written = 0.0
        self._closed = False
        self.record = record

    def begin(self, *, alone: bool) -> None:
        """Write it for the first time; raises NameTaken if it is to be alone with its name, and is not."""
        self._try(lambda: records.add(self.record, alone=alone))

    def changed(self) -> None:
        """Something of the pool changed."""
        if self._writing is None and not self._closed:
            after = WRITE_AFTER + MORE_FOR_EACH * len(self._hub.desk.nodes)
            self._writing = asyncio.get_running_loop().call_later(after, self._write)

    def counted(self) -> None:
        """A task has ended, which the record says before long."""
        if self._counting is None and not self._closed:
            loop = asyncio.get_running_loop()
            after = max(WRITE_AFTER, self._written + COUNT_EVERY - loop.time())
            self._counting = loop.call_later(after, self._count)

    def waits(self) -> None:
        """Calls wait in the queue: those that still do after a while are recorded."""
        if self._noting is None and not self._closed:
            self._noting = asyncio.get_running_loop().call_later(NOTE_AFTER, self._note)

    def close(self) -> None:
        """The pool is over, or somebody else's: write no more, and remove it in the first case."""
        self.leave()
        self._try(lambda: records.remove(self.record))

    def keep(self, left: Sequence[str]) -> None:
        """The pool is over but for what could not be removed, which is kept in the record."""
        self.leave()
        now = replace(self.record, state="stopped", nodes=(), left=tuple(left), places=self._hub.fleet.places)
        self._try(lambda: records.save(now))

    def leave(self) -> None:
        """Write no more."""
        self._closed = True
        for timer in (self._writing, self._noting, self._counting):
            if timer is not None:
                timer.cancel()

    @property
    def is_current(self) -> bool:
        """Whether nobody took the pool over."""
        try:
            return records.is_current(self.record)
        except OSError:
            return True

    def _note(self) -> None:
        self._noting = None
        desk, queue = self._hub.desk, self._hub.placing.queue
        self._waiting = waiting_runs(entry for number in queue if (entry := desk.tasks.get(number)) is not None)
        if self._waiting != self.record.waiting:
            self.changed()
        if queue:
            self.waits()

    def _count(self) -> None:
        self._counting, self._written = None, asyncio.get_running_loop().time()
        self._write()

    def _write(self) -> None:
        if self._writing is not None:
            self._writing.cancel()
        self._writing = None
        hub = self._hub
        nodes = tuple(self._node(view.rank, view.address, view.pid) for _, view in sorted(hub.desk.nodes.items()))
        size = len(nodes) or self.record.size
        now = replace(self.record, state=hub.state, size=size, nodes=nodes, places=hub.fleet.places)
        now = replace(now, waiting=self._waiting, ended=hub.desk.tallies.record())
        if now == self.record or self._closed:
            return
        self.record = now
        self._try(lambda: records.save(now) or self._taken())

    def _node(self, rank: int, address: str, pid: int) -> NodeRecord:
        if pid and pid not in self._since:
            self._since[pid] = started(pid)
        return NodeRecord(rank, address, pid, self._since.get(pid, 0.0))

    def _try(self, work: Callable[[], object]) -> None:
        try:
            work()
        except OSError as error:
            if not self._closed:
                log.warning("pool %s cannot be recorded, so nobody can attach to it: %s", self._hub.name, error)
            self._closed = True


def waiting_runs(entries: Iterable[TaskEntry]) -> tuple[WaitingRun, ...]:
    """The runs of tasks that wait, in their order; single calls of one name that follow each other count as one."""
    found: dict[int, TaskEntry] = {}
    parts: dict[int, int] = {}
    last = 0
    for entry in entries:
        if entry.run in found:
            continue
        before = found.get(last)
        if before is not None and _follows(entry, before, parts[last]):
            parts[last] += 1
            continue
        if len(found) == MOST_NOTED:
            break
        last = entry.run
        found[last], parts[last] = entry, entry.parts
    return tuple(
        WaitingRun(number, parts[number], first.label, first.queued, first.parts == 1)
        for number, first in found.items()
    )


def _follows(entry: TaskEntry, first: TaskEntry, parts: int) -> bool:
    """Whether a single call comes right after others like it, of which there are so many."""
    return entry.parts == first.parts == 1 and entry.id == first.run + parts and entry.label == first.label
