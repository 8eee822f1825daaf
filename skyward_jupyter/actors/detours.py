"""Separate connections to nodes that the other nodes have given up.

The client of a pool sees the cluster as the node does that it asked last. When nodes are cut off from each other, those
of the other side look dead to it, although the kernel reaches them. A detour is a client that goes through such a node
alone, and carries what the kernel asks it until the nodes know each other again. It does not help where the link from
the kernel to the machine is broken.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

import casty

from skyward_jupyter.actors.connection import connect
from skyward_jupyter.agent import actors as remote
from skyward_jupyter.agent.cluster import end
from skyward_jupyter.tasks import Tasks, begin
from skyward_jupyter.wire.messages import Measure

if TYPE_CHECKING:
    from skyward_jupyter.actors.hub import Hub

log = logging.getLogger("skyward")
#: Seconds that a node may take to answer on a connection of its own, and the pause after one that failed.
WITHIN, PAUSE = 5.0, 1.0


class Detours:
    """The detours of one pool."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._trying: dict[int, asyncio.Task[bool]] = {}
        self._ending = Tasks("ending a separate connection to a node")

    async def reach(self, rank: int) -> bool:
        """Return whether a node answers on a connection of its own; what it is asked takes that one from then on."""
        return await asyncio.shield(self._try(rank))

    def seek(self, rank: int) -> None:
        """Try to reach a node, beside everything else."""
        if rank not in self._hub.detoured:
            _ = self._try(rank)

    def back(self, address: str) -> None:
        """End the detour to a node that the cluster hears again."""
        for rank in [rank for rank in self._hub.detoured if self._hub.fleet.address(rank) == address]:
            self.drop(rank)

    def drop(self, rank: int) -> None:
        """End the detour to a node, once nothing waits for an answer on it."""
        if (trying := self._trying.pop(rank, None)) is not None:
            trying.cancel()
        self._put(rank, None)

    async def close(self) -> None:
        """End what is under way; the clients are the hub's."""
        work = [*self._ending, *self._trying.values()]
        for task in work:
            task.cancel()
        if work:
            await asyncio.wait(work)

    def _try(self, rank: int) -> asyncio.Task[bool]:
        trying = self._trying.get(rank)
        if trying is None or trying.done():
            trying = self._trying[rank] = begin(self._connect(rank), f"reaching node {rank} on a connection of its own")
        return trying

    async def _connect(self, rank: int) -> bool:
        hub = self._hub
        try:
            async with asyncio.timeout(WITHIN):
                client = await connect(hub, (rank,), watch=False)
                try:
                    await client.ref(remote.worker, remote.KEY, at=hub.fleet.address(rank)).ask(Measure())
                except BaseException:
                    self._end(client)
                    raise
        except (TimeoutError, OSError, ValueError, casty.Unavailable, casty.Refused) as error:
            log.debug("node %d does not answer on a connection of its own: %s", rank, error)
            await asyncio.sleep(PAUSE)
            return False
        self._put(rank, client)
        return True

    def _put(self, rank: int, client: casty.Client | None) -> None:
        former = self._hub.detour(rank, client)
        if former is not None:
            self._end(former)

    def _end(self, client: casty.Client) -> None:
        self._ending.start(end(client))
