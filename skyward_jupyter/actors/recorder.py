"""Keeps the record of one pool on disk up to date, from its start to its end."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import replace

from skyward_jupyter.actors.hub import Hub
from skyward_jupyter.agent.lease import started
from skyward_jupyter.providers import records
from skyward_jupyter.providers.records import NodeRecord, PoolRecord

#: Nodes come and go in groups: what changes is written after so many seconds.
WRITE_AFTER = 0.05

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
        self._closed = False
        self.record = record

    def begin(self) -> None:
        """Write it for the first time."""
        self._try(lambda: records.add(self.record))

    def changed(self) -> None:
        """Something of the pool changed."""
        if self._writing is None and not self._closed:
            self._writing = asyncio.get_running_loop().call_later(WRITE_AFTER, self._write)

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
        if self._writing is not None:
            self._writing.cancel()

    @property
    def is_current(self) -> bool:
        """Whether nobody took the pool over."""
        try:
            return records.is_current(self.record)
        except OSError:
            return True

    def _write(self) -> None:
        self._writing = None
        hub = self._hub
        nodes = tuple(self._node(view.rank, view.address, view.pid) for _, view in sorted(hub.desk.nodes.items()))
        size = len(nodes) or self.record.size
        now = replace(self.record, state=hub.state, size=size, nodes=nodes, places=hub.fleet.places)
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
