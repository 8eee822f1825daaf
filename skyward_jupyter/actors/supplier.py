"""The provider actor: asks the provider for nodes, and passes on what it hears of them."""

from __future__ import annotations

import asyncio
import contextlib
from datetime import timedelta

import casty
from casty import Context, Event, actor

from skyward_jupyter.actors.hub import Hub, find
from skyward_jupyter.actors.messages import Gone, Heard, Kill, Phase, Start
from skyward_jupyter.agent.cluster import COMPRESSION, LIMITS, PATIENCE, certificates
from skyward_jupyter.events import LogLine

#: How often the client asks for the members (seconds): how long a new node may stay unknown.
SYNC = 0.25
#: How long the first connection waits for the rest of the nodes that start together (seconds).
TOGETHER = 2.0

type SupplierMessage = Start | Kill | Heard


class _Supplier:
    """What the provider actor works with."""

    def __init__(self, hub: Hub) -> None:
        self.hub = hub
        self._expected: set[int] = set()
        self._joined: set[int] = set()
        self._founder = -1
        self._connecting: asyncio.Task[None] | None = None
        self._together = asyncio.Event()

    def handle(self, message: SupplierMessage) -> None:
        """React to a message."""
        match message:
            case Start(ranks):
                self.start(ranks)
            case Kill(rank):
                self.hub.provider.kill(rank)
            case Heard(rank, what, pid, text):
                self.heard(rank, what, pid, text)

    def start(self, ranks: tuple[int, ...]) -> None:
        """Have the provider start nodes."""
        self._expected.update(ranks)
        seeds = sorted(self._joined - set(ranks)) or [self._founder_among(ranks)]
        everyone = self.hub.peers(tuple(self._joined | self._expected))
        for rank in ranks:
            self.hub.node(rank).tell(Phase("starting"))
        self.hub.provider.start(ranks, everyone, seeds)

    def _founder_among(self, ranks: tuple[int, ...]) -> int:
        """The node that starts the cluster while there is none: one, or there would be several."""
        if self._founder not in self._expected:
            self._founder = min(ranks)
        return self._founder

    def heard(self, rank: int, what: str, pid: int, text: str) -> None:
        """Pass on word of a node."""
        node = self.hub.node(rank)
        match what:
            case "started":
                node.tell(Phase("joining", pid))
            case "ready":
                self._joined.add(rank)
                self._expected.discard(rank)
                node.tell(Phase("joined"))
            case "exited":
                self._joined.discard(rank)
                self._expected.discard(rank)
                node.tell(Gone(text))
            case "log":
                self.hub.events.emit(LogLine, rank, 0, "node", text)
                node.tell(Phase(text))
        self._maybe_connect()

    def _maybe_connect(self) -> None:
        if self._joined and self._connecting is None:
            self._connecting = self.hub.connecting = asyncio.get_running_loop().create_task(self._connect())
        if not self._expected:
            self._together.set()

    async def _connect(self) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._together.wait(), TOGETHER)
        seeds = tuple(self.hub.provider.address(rank) for rank in sorted(self._joined))
        client = casty.Client(
            seeds=seeds,
            name=self.hub.provider.cluster,
            tls=certificates(self.hub.provider.certificates),
            limits=LIMITS,
            compression=COMPRESSION,
            ask_timeout=PATIENCE,
            sync_every=timedelta(seconds=SYNC),
            observer=_quiet,
            runtime=casty.Runtime(threads=1),
        )
        self.hub.client = await client.__aenter__()


def _quiet(_event: Event) -> None:
    """The node actors hear of losses from the provider and from their own conversation."""


@actor(initial=0, idle_after=timedelta(days=365))
async def supplier(ctx: Context[int, SupplierMessage]) -> None:
    """Supplies one pool with nodes."""
    hub = find(ctx.key)
    if hub is None:
        return
    it = _Supplier(hub)
    async for message in ctx.inbox:
        it.handle(message)
