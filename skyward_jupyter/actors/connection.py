"""The kernel's connection to the nodes of a pool, and another one in its place when its link was broken.

casty dials a node that does not answer ever more rarely, and so notices late that the link is whole again. While nodes
that run do not answer, another client is tried here; as soon as one gets through it takes the place of the first, which
ends when nobody waits for an answer of it any more.
"""

from __future__ import annotations

import asyncio
import functools
import weakref
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import casty
from casty import Event

from skyward_jupyter.actors.messages import Dead
from skyward_jupyter.agent.cluster import client, end
from skyward_jupyter.agent.data_cluster import DataClient
from skyward_jupyter.collections.data_nodes import data_addresses, data_cluster_name
from skyward_jupyter.runtime.forks import forget_in_child
from skyward_jupyter.tasks import Tasks, begin

if TYPE_CHECKING:
    from skyward_jupyter.actors.hub import Hub
    from skyward_jupyter.fleets.base import Fleet

#: How often the client asks for the members (seconds): how long a new node may stay unknown.
SYNC = 0.25
#: How long a node is left to casty's own dialling before another client is tried (seconds), how long one may take to
#: get through, and the pause between two.
AFTER = 2.0
WITHIN = 5.0
PAUSE = 1.0
#: A node that nobody missed for so long is not asked for anything any more.
FORGET = 5.0


async def connect(hub: Hub, ranks: Iterable[int], *, watch: bool = True) -> casty.Client:
    """Return a client of the pool's cluster, through one of these nodes; its members are watched unless told not to."""
    fleet = hub.fleet
    seeds = tuple(fleet.address(rank) for rank in sorted(ranks))
    observer = _Observer(hub) if watch else None
    made = client(
        fleet.cluster, seeds, fleet.certificates, _transport(), SYNC, dial=_dialling(fleet), observer=observer
    )
    return await made.__aenter__()


def data_client(hub: Hub) -> DataClient:
    """Return the kernel's connection to the data nodes of a pool, made with the first call of a collection."""

    def addresses() -> tuple[str, ...]:
        return data_addresses({rank: hub.fleet.address(rank) for rank in hub.members})

    def make(seeds: tuple[str, ...]) -> casty.Client:
        fleet = hub.fleet
        name = data_cluster_name(fleet.cluster)
        return client(name, seeds, fleet.certificates, _transport(), SYNC, dial=_dialling(fleet))

    return DataClient(addresses, make)


@functools.cache
def _transport() -> casty.Runtime:
    """The thread that all connections of this process run on. What one of its own opens is never closed again."""
    return casty.Runtime(threads=1)


def _forget() -> object:
    """A forked child makes a thread of its own."""
    left = _transport() if _transport.cache_info().currsize else None
    _transport.cache_clear()
    return left


forget_in_child(_forget)


def _dialling(fleet: Fleet) -> Callable[[str], str]:
    """Where a fleet says an agent is reached; a client that has ended keeps what it was given, and so no fleet."""
    known = weakref.ref(fleet)

    def dial(address: str) -> str:
        fleet = known()
        return address if fleet is None else fleet.dial(address)

    return dial


class _Observer:
    """Passes on which members the others have given up, and which they hear again. It keeps no pool."""

    def __init__(self, hub: Hub) -> None:
        self._hub = weakref.ref(hub)

    def wants(self, kind: type[Event], /) -> bool:
        """Nothing but changes of members."""
        return kind is casty.MemberChanged

    def __call__(self, event: Event, /) -> None:
        hub = self._hub()
        if hub is None or not isinstance(event, casty.MemberChanged):
            return
        if event.node.address is None:
            return
        if event.status == "dead":
            hub.supplier.tell(Dead(event.node.address))
        elif event.status == "alive" and hub.detours is not None:
            hub.detours.back(event.node.address)


@dataclass(slots=True)
class _Silence:
    """Since when a node does not answer, and when that was said last."""

    since: float
    said: float


class Redial:
    """Gets a pool another client when nodes that run do not answer this one."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._silent: dict[int, _Silence] = {}
        self._mended: set[int] = set()
        self._trying: asyncio.Task[None] | None = None
        self._renewing: asyncio.Task[None] | None = None
        self._ending = Tasks("ending a connection to the nodes that another replaced")

    def missed(self, rank: int) -> None:
        """A node that runs does not answer; said again and again for as long as it is so."""
        now = asyncio.get_running_loop().time()
        if not self.misses(rank):
            self._silent[rank] = _Silence(now, now)
            return
        silence = self._silent[rank]
        silence.said = now
        if now - silence.since >= AFTER and (self._trying is None or self._trying.done()):
            self._trying = begin(self._try(rank), "connecting again to nodes that do not answer")

    def answered(self, rank: int) -> None:
        """A node answers."""
        self._silent.pop(rank, None)

    def misses(self, rank: int) -> bool:
        """Whether a node that ran did not answer a moment ago, and has not answered since."""
        silence = self._silent.get(rank)
        return silence is not None and asyncio.get_running_loop().time() - silence.said <= FORGET

    def mended(self, rank: int) -> None:
        """The link to a machine was broken and is whole again.

        Who dialled through it meanwhile may never notice, and what was asked before may wait for ever for an answer
        that went nowhere: all of it is asked anew.
        """
        self._mended.add(rank)
        if self._renewing is None or self._renewing.done():
            self._renewing = begin(self._renew_all(), "connecting again to machines that are reachable again")

    async def close(self) -> None:
        """Try no more, and end what was replaced."""
        work = [*self._ending, *filter(None, [self._trying, self._renewing])]
        for task in work:
            task.cancel()
        if work:
            await asyncio.wait(work)

    async def _try(self, rank: int) -> None:
        """Try clients until one gets through, or the nodes answer the one there is."""
        while self._is_silent() and (ranks := (rank,) if self._hub.fleet.alone else tuple(self._hub.takers)):
            try:
                async with asyncio.timeout(WITHIN):
                    client = await connect(self._hub, ranks)
            except (TimeoutError, OSError, casty.Unavailable):
                await asyncio.sleep(PAUSE)
            else:
                self._replace(client, rank)
                return

    async def _renew_all(self) -> None:
        """Go on for as long as links are mended meanwhile: a client may have dialled through one that was not yet."""
        while self._mended:
            rank = self._mended.pop()
            if not self._hub.fleet.alone:
                self._mended.clear()
            await self._renew(rank)

    async def _renew(self, rank: int) -> None:
        """Have another client, and end the one before at once."""
        while ranks := (rank,) if self._hub.fleet.alone else tuple(self._hub.takers):
            try:
                async with asyncio.timeout(WITHIN):
                    client = await connect(self._hub, ranks)
            except (TimeoutError, OSError, casty.Unavailable):
                await asyncio.sleep(PAUSE)
                continue
            former = self._hub.replace_client(client, rank)
            if former is not None:
                await former.__aexit__(None, None, None)
            return

    def _is_silent(self) -> bool:
        return any(map(self.misses, self._silent))

    def _replace(self, client: casty.Client, rank: int) -> None:
        self._silent.clear()
        former = self._hub.replace_client(client, rank)
        if former is not None:
            self._ending.start(end(former))
