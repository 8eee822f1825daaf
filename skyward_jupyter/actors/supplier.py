"""The supplier actor: asks the fleet for nodes, and passes on what it hears of them."""

from __future__ import annotations

import asyncio
import contextlib
from datetime import timedelta
from typing import Any

import casty
from casty import Context, actor

from skyward_jupyter.actors.connection import PAUSE, WITHIN, connect
from skyward_jupyter.actors.hub import Hub, fail, find
from skyward_jupyter.actors.messages import (
    Adopt,
    Dead,
    Dismiss,
    Gone,
    Heard,
    Kill,
    Lacks,
    Left,
    Meet,
    Phase,
    Reach,
    Start,
    Unheard,
    Wrote,
)
from skyward_jupyter.tasks import begin

#: How long the first connection waits for the rest of the nodes that start together (seconds).
TOGETHER = 2.0
#: While more than so many are on their way, those that have joined wait for the others, for as long as one more is
#: heard of within so many seconds, and for so many at most; and how often that is looked at.
CROWD, APART, PATIENCE, LOOK = 12, 2.0, 20.0, 0.05

type SupplierMessage = Start | Adopt | Kill | Dismiss | Heard | Dead


class _Supplier:
    """What the supplier actor works with."""

    def __init__(self, hub: Hub) -> None:
        self.hub = hub
        self._expected: set[int] = set()
        self._joined: set[int] = set()
        self._dismissed: set[int] = set()
        self._nodes: dict[int, casty.Ref[Any]] = {}
        self._founder = -1
        self._connecting: asyncio.Task[None] | None = None
        self._together = asyncio.Event()
        self._reaching: dict[int, asyncio.Task[None]] = {}
        self._unmet: set[int] = set()
        self._gathering: asyncio.Task[None] | None = None

    def handle(self, message: SupplierMessage) -> None:
        """React to a message."""
        match message:
            case Start(ranks):
                self.start(ranks)
            case Adopt(ranks):
                self._nodes.update((rank, self.hub.node(rank)) for rank in ranks)
                self._charge(ranks, self.hub.started)
            case Kill(rank):
                self.hub.fleet.kill(rank)
            case Dismiss(rank):
                self.dismiss(rank)
            case Heard(rank, "left", pid) if rank in self._nodes:
                # It was told that it is lost before; what it had heard until then is used.
                self._nodes[rank].tell(Left(pid))
            case Heard(rank):
                if rank in self._nodes and rank not in self._dismissed:
                    self.heard(message)
            case Dead(address):
                self.dead(address)

    def start(self, ranks: tuple[int, ...]) -> None:
        """Have the fleet start nodes."""
        self._dismissed.difference_update(ranks)
        self._expected.update(ranks)
        seeds = _apart(sorted(self._joined - set(ranks))) or [self._founder_among(ranks)]
        everyone = self.hub.peers(tuple(self._joined | self._expected))
        for rank in ranks:
            # Until the next start, what is heard of this rank is about this node and no later one.
            self._nodes[rank] = self.hub.node(rank)
            self._nodes[rank].tell(Phase("starting"))
        self._charge(ranks)
        # Many that come together would all copy, and look through it for each other.
        fills = len(ranks) == 1 and self.hub.generation.get(ranks[0], 0) > 0
        self.hub.fleet.start(ranks, everyone, seeds, fills=fills)

    def _charge(self, ranks: tuple[int, ...], since: float | None = None) -> None:
        """Nodes cost what their provider says from now on, or since they started."""
        self.hub.cost.begin({rank: self.hub.fleet.hourly_cost(rank) for rank in ranks}, since)

    def _founder_among(self, ranks: tuple[int, ...]) -> int:
        """The node that starts the cluster while there is none: one, or there would be several."""
        if self._founder not in self._expected:
            self._founder = min(ranks)
        return self._founder

    def dismiss(self, rank: int) -> None:
        """End a node that nobody wants any more, whatever state it is in."""
        self._joined.discard(rank)
        self._expected.discard(rank)
        self._unmet.discard(rank)
        self._dismissed.add(rank)
        self.hub.cost.end(rank)
        self.hub.fleet.release(rank)

    def dead(self, address: str) -> None:
        """The other nodes hear nothing of one: its actor knows whether that is the one it stands for."""
        for rank in self._joined:
            if self.hub.fleet.address(rank) == address:
                self.hub.node(rank).tell(Unheard())

    def heard(self, word: Heard) -> None:
        """Pass on word of a node."""
        rank, text = word.rank, word.text
        node = self._nodes[rank]
        match word.what:
            case "started":
                node.tell(Phase("joining", word.pid))
            case "ready":
                self._joined.add(rank)
                self._expected.discard(rank)
                self._reach(rank)
                node.tell(Phase("joined"))
                self._introduce(rank)
            case "exited":
                self._joined.discard(rank)
                self._expected.discard(rank)
                self._unmet.discard(rank)
                self.hub.cost.end(rank)
                node.tell(Gone(text, word.final))
            case "phase":
                node.tell(Phase(text))
            case "unreached":
                node.tell(Reach(text))
            case "mended":
                node.tell(Reach(""))
                if self.hub.redial is not None:
                    self.hub.redial.mended(rank)
            case "lacks":
                node.tell(Lacks(word.slots, text))
            case "line" | "log":
                node.tell(Wrote(text))
        self._maybe_connect()

    def _introduce(self, rank: int) -> None:
        """Have a node asked that has joined, once the crowd it came with is there.

        A member that keeps anything, as an actor that was asked, looks through all of it whenever another one joins: a
        hundred that are asked early take twice the time to get together.
        """
        self._unmet.add(rank)
        if self._gathering is None and len(self._expected) > CROWD and not self.hub.fleet.alone:
            self._gathering = begin(self._gather(), "waiting for nodes that join together", self._gathered)
        elif self._gathering is None:
            self._meet()

    async def _gather(self) -> None:
        """Wait until all are there, and known to each other as far as this kernel hears, or no more come.

        On a busy machine they give each other up, and hear of each other again: that is not one more.
        """
        loop = asyncio.get_running_loop()
        there, since = (0, 0), loop.time()
        until = since + PATIENCE
        while (at := loop.time()) - since < APART and at < until:
            await asyncio.sleep(LOOK)
            joined = {self.hub.fleet.address(rank) for rank in self._joined}
            known = joined & self.hub.living()
            if not self._expected and known == joined:
                break
            if (most := (max(len(joined), there[0]), max(len(known), there[1]))) != there:
                there, since = most, loop.time()
        self._gathered()

    def _gathered(self, _: BaseException | None = None) -> None:
        self._gathering = None
        self._meet()

    def _meet(self) -> None:
        for rank in sorted(self._unmet):
            self._nodes[rank].tell(Meet())
        self._unmet.clear()

    def close(self) -> None:
        """The pool is over: wait for no node any more."""
        for task in (self._gathering, *self._reaching.values()):
            if task is not None:
                task.cancel()

    def _reach(self, rank: int) -> None:
        """Connect to a node that no other one reaches."""
        if self.hub.fleet.alone:
            if rank in self._reaching:
                self._reaching[rank].cancel()
            node = self._nodes[rank]
            self._reaching[rank] = begin(
                self._connect_to(rank),
                f"connecting to node {rank} of pool {self.hub.name!r}",
                lambda error: node.tell(Gone(f"it could not be connected to: {type(error).__name__}: {error}")),
            )

    async def _connect_to(self, rank: int) -> None:
        former = self.hub.replace_client(await connect(self.hub, (rank,)), rank)
        if former is not None:
            await former.__aexit__(None, None, None)

    def _maybe_connect(self) -> None:
        if self.hub.fleet.alone:
            return
        connecting = self._connecting is not None and not self._connecting.done()
        if self._joined and not connecting and self.hub.client is None:
            self._connecting = self.hub.connecting = begin(
                self._connect(),
                f"connecting to the nodes of pool {self.hub.name!r}",
                lambda error: fail(self.hub.key, f"{type(error).__name__}: {error}"),
            )
        elif self._connecting is not None and connecting and not self._joined:
            self._connecting.cancel()  # those that it goes through are lost; the next that joins is another start
            self._connecting = None
        if not self._expected:
            self._together.set()

    async def _connect(self) -> None:
        """Connect through the nodes that have joined; those that one try goes through may be lost meanwhile."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._together.wait(), TOGETHER)
        while self._joined and self.hub.client is None:
            try:
                async with asyncio.timeout(WITHIN):
                    self.hub.client = await connect(self.hub, self._joined)
            except (TimeoutError, OSError, casty.Unavailable):
                await asyncio.sleep(PAUSE)


def _apart(ranks: list[int]) -> list[int]:
    """The nodes to join through, with the last of all among the first three that count.

    Those of the lowest ranks may be lost together without being known to be; who joined through them alone would find
    those in their places, and be another cluster with them.
    """
    return [*ranks[:2], ranks[-1], *ranks[2:-1]] if len(ranks) > 3 else ranks


@actor(initial=0, idle_after=timedelta(days=365))
async def supplier(ctx: Context[int, SupplierMessage]) -> None:
    """Supplies one pool with nodes."""
    hub = find(ctx.key)
    if hub is None:
        return
    it = _Supplier(hub)
    try:
        async for message in ctx.inbox:
            it.handle(message)
    finally:
        it.close()
