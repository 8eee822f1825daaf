"""Whether the kernel that owns a pool is alive: the process, not its event loop.

A process is its id and when it started, so that another one that got the same id later is not taken for it. A kernel
on another machine cannot be watched: somebody there renews its lease for as long as it lives.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass

import psutil

from skyward_jupyter.agent.readable import readable
from skyward_jupyter.tasks import begin

_POLL = 1.0
#: How far two looks at the same process may put its start apart (seconds): the clock may have been set in between.
_SAME_START = 3.0


@dataclass(frozen=True, slots=True)
class Owner:
    """A process that owns a pool.

    Attributes
    ----------
    pid, since
        Its id, and when it started (seconds since the epoch); 0 where that is not known.
    name
        What it is called to users.
    """

    pid: int
    since: float = 0.0
    name: str = ""

    @property
    def alive(self) -> bool:
        """Whether it runs."""
        return is_alive(self.pid, self.since)


class Lease:
    """The life of one node: it ends `ttl` seconds after its owner has, unless another one takes over until then.

    Parameters
    ----------
    epoch
        How often somebody took over before.
    alone
        Called when the owner has ended.
    over
        Called when nobody has taken over in time.
    renewed
        Whether the owner is on another machine: the node ends `ttl` seconds after the last renewal.
    """

    def __init__(
        self,
        owner: Owner,
        epoch: int,
        ttl: float,
        alone: Callable[[], None],
        over: Callable[[], None],
        *,
        renewed: bool = False,
    ) -> None:
        self.owner = owner
        self.epoch = epoch
        self._ttl = ttl
        self._renewed = renewed
        self._until = 0.0
        self._alone = alone
        self._over = over
        self._watch: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Watch the owner from now on."""
        self.end()
        if self._renewed:
            self.renew(self.epoch)
            self._watch = begin(self._expire(), "watching the lease", lambda _: self._over())
        elif self.owner.pid:
            self._watch = begin(self._count(), "watching the kernel", lambda _: self._over())

    @property
    def held(self) -> bool:
        """Whether the owner is alive, as far as can be told from here."""
        if self._renewed:
            return asyncio.get_running_loop().time() < self._until - self._ttl / 2
        return self.owner.alive

    def renew(self, epoch: int) -> None:
        """The owner of this epoch, on another machine, is alive."""
        if epoch >= self.epoch:
            self._until = asyncio.get_running_loop().time() + self._ttl

    def take(self, owner: Owner, epoch: int) -> bool:
        """Let `owner` have it; refused when someone took it in this epoch or later, and it is not the same one."""
        if epoch < self.epoch or (epoch == self.epoch and owner.pid != self.owner.pid):
            return False
        if epoch > self.epoch:
            self.owner, self.epoch = owner, epoch
            self.start()
        return True

    def end(self) -> None:
        """Watch nobody any more."""
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None

    async def _count(self) -> None:
        if is_alive(self.owner.pid, self.owner.since):
            await owner_gone(self.owner.pid)
        self._alone()
        await asyncio.sleep(self._ttl)
        self._over()

    async def _expire(self) -> None:
        # Renewals only move the end, so it is looked at again when the end that was known has come.
        while (left := self._until - asyncio.get_running_loop().time()) > 0:  # noqa: ASYNC110
            await asyncio.sleep(left)
        self._over()


def started(pid: int) -> float:
    """When a process started, in seconds since the epoch; 0 when there is none."""
    with contextlib.suppress(psutil.Error):
        return float(psutil.Process(pid).create_time())
    return 0.0


def is_alive(pid: int, since: float = 0.0) -> bool:
    """Whether the process of this id, started then, runs."""
    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return False
        return not since or abs(process.create_time() - since) < _SAME_START
    except (psutil.Error, ValueError):
        return False


async def owner_gone(pid: int) -> None:
    """Return once process `pid` has ended; at once if there is none."""
    if sys.platform == "linux":
        await _watch(pid)
    else:
        await _poll(pid)


async def _watch(pid: int) -> None:
    try:
        fd = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        await readable(fd)
    finally:
        os.close(fd)


async def _poll(pid: int) -> None:
    try:
        process = psutil.Process(pid)
        # Nothing tells of the end of somebody else's process on such a system.
        while process.is_running() and process.status() != psutil.STATUS_ZOMBIE:  # noqa: ASYNC110
            await asyncio.sleep(_POLL)
    except psutil.NoSuchProcess:
        return
