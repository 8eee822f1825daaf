"""The pool actor: how many nodes there are, how many there should be, and what is done about the difference.

A node that is lost is replaced at its own rank. One that keeps dying before it is ready is given up after `ATTEMPTS`
tries, one that was ready when it has been lost more than `max_retries` times within an hour; the pool goes on with the
others. A pool that has given up all of them has failed, and so have its tasks.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from dataclasses import dataclass, field, replace
from datetime import timedelta

from casty import Context, actor

from skyward_jupyter.actors.copies import Copies
from skyward_jupyter.actors.ending import end
from skyward_jupyter.actors.hub import Hub, find
from skyward_jupyter.actors.messages import (
    Adopt,
    Close,
    Dismiss,
    Drain,
    Gone,
    Introduced,
    Joined,
    Lost,
    Scale,
    Start,
    Taken,
)
from skyward_jupyter.agent.actors import Peers
from skyward_jupyter.errors import PoolError, PoolHeld, PoolStopped
from skyward_jupyter.events import NodeGivenUp, NodeReplaced, PoolResized
from skyward_jupyter.tasks import Tasks
from skyward_jupyter.wire.events import Failure

#: How often a node is started before it is given up.
ATTEMPTS = 3
#: Losses longer ago than this do not count (seconds).
WINDOW = 3600.0
#: Of nodes that fail in a start, others that fail within so many seconds are told with the first.
ALIKE = 1.0
#: How long the nodes may take to answer that they know each other (seconds).
INTRODUCE_WITHIN = 5.0

type PoolMessage = Scale | Adopt | Joined | Introduced | Lost | Taken | Close


@dataclass(slots=True)
class _Rank:
    """A node that should be, how its start went, and when it was lost."""

    ready: bool = False
    leaving: bool = False
    failures: int = 0
    losses: list[float] = field(default_factory=list)
    replacing: bool = False
    note: str = ""
    asked: float = 0.0


class _Pool:
    """What the actor of a pool works with."""

    def __init__(self, hub: Hub) -> None:
        self.hub = hub
        self._ranks: dict[int, _Rank] = {}
        self._desired = 0
        self._turn = 0
        self._given_up = self._adopted = False
        self._introduced = 0
        self._told: frozenset[int] = frozenset()
        self._acquainted: frozenset[int] = frozenset()
        self._introducing = Tasks("introducing the nodes of a pool to each other")
        self._alike: asyncio.TimerHandle | None = None
        self._copies = Copies(hub, self._start)

    def handle(self, message: PoolMessage) -> None:
        """React to a message."""
        match message:
            case Scale(nodes, why):
                self.scale(nodes, why)
            case Adopt(ranks):
                self._adopted = True
                self._ranks.update((rank, _Rank()) for rank in ranks)
            case Taken(by):
                self.taken(by)
            case Joined(rank):
                self.joined(rank)
            case Introduced(turn):
                # Answers to an earlier turn may come after those to a later one.
                self._introduced = max(self._introduced, turn)
                if turn == self._turn:
                    self._acquainted = self._told
            case Lost(rank, why, final):
                self.lost(rank, why, final)
            case Close():
                self.close()
        self._settle()

    def scale(self, nodes: int, why: str) -> None:
        """Start the ranks that are missing, let those beyond leave once what they run is done."""
        if self.hub.state == "taken":
            return
        if nodes != self._desired:
            self.hub.events.emit(PoolResized, nodes, why)
        self._desired, self._given_up = nodes, False
        missing = tuple(rank for rank in range(nodes) if rank not in self._ranks)
        for rank in missing:
            self._ranks[rank] = _Rank()
        leave = False
        for rank, state in self._ranks.items():
            if rank >= nodes and not state.leaving:
                state.leaving = True
                self.hub.node(rank).tell(Drain())
                leave = True
        if leave:
            self._introduce()
        if missing:
            self._start(missing)

    def joined(self, rank: int) -> None:
        """A node is ready; the others learn of it."""
        state = self._ranks.get(rank)
        if state is not None:
            state.ready, state.failures = True, 0
            if self.hub.elastic is not None and state.asked:
                self.hub.elastic.took(time.monotonic() - state.asked)
            if state.replacing:
                state.replacing = False
                if self.hub.note == state.note:
                    self.hub.note = ""
                self.hub.events.emit(NodeReplaced, rank, len(state.losses))
            self._introduce()

    def lost(self, rank: int, why: str, final: bool = False) -> None:
        """A node is gone: replace it, unless it was to go."""
        self.hub.condemned.discard(rank)
        state = self._ranks.get(rank)
        if state is None:
            return
        if state.leaving or self._over:
            self._remove(rank)
            if self.hub.state == "taken":
                return
            self.hub.supplier.tell(Dismiss(rank))
            if rank < self._desired and not self._over:
                self.scale(self._desired, "asked")
            return
        if not state.ready:
            state.failures += 1
            if final or state.failures >= ATTEMPTS:
                self._give_up(rank, 0, why)
                return
        else:
            now = time.monotonic()
            counts = [now] if rank not in self.hub.renewed else []
            state.losses = [*(at for at in state.losses if now - at < WINDOW), *counts]
            if len(state.losses) > self.hub.max_retries:
                self._give_up(rank, len(state.losses), why)
                return
            self.hub.note = state.note = f"node {rank} was lost ({why}) and is being replaced"
            state.replacing = True
        was_ready, state.ready = state.ready, False
        self.hub.generation[rank] = self.hub.generation.get(rank, 0) + 1
        if was_ready:
            self._copies.lost(rank, [other for other, its in self._ranks.items() if its.ready])
        else:
            self._start((rank,))

    def _give_up(self, rank: int, losses: int, why: str) -> None:
        if self.hub.state == "starting" and not self._adopted:
            self._keep_failed(rank, why)
            # The start has failed; whoever waits for it need not wait for the others, which may take much longer.
            self._alike = self._alike or asyncio.get_running_loop().call_later(ALIKE, self.hub.settled.set)
        else:
            self.hub.note = NodeGivenUp(time.time(), self.hub.name, rank, losses, why).sentence
        self.hub.events.emit(NodeGivenUp, rank, losses, why)
        self._desired = min(self._desired, len(self._ranks) - 1)
        self._remove(rank)
        self.hub.supplier.tell(Dismiss(rank))
        self._given_up = True
        if self.hub.elastic is not None:
            self.hub.elastic.hold()
        self.hub.events.emit(PoolResized, self._desired, "given up")

    def _keep_failed(self, rank: int, why: str) -> None:
        """Why the pool may not become ready: what failed is shown until the start is over."""
        view = self.hub.desk.nodes.get(rank)
        if view is not None:
            self.hub.failed[rank] = replace(view, phase=why)

    def close(self) -> None:
        """Fail what is in flight and end every node."""
        if self.hub.state in ("stopping", "stopped"):
            return
        if self.hub.state == "taken":
            self.hub.ended.set()
            return
        if self._alike is not None:
            self._alike.cancel()
        self._copies.close()
        self.hub.become("stopping")
        self._fail_tasks(PoolStopped(f"pool {self.hub.name!r} was stopped before the task had ended"))
        self.hub.fleet.close()

    def taken(self, by: str) -> None:
        """Another kernel drives the pool: nothing more is done to it from here."""
        if self._over or self.hub.state == "stopped":
            return
        self.hub.note = f"pool {self.hub.name!r} was taken over by {by}"
        self._copies.close()
        self.hub.become("taken")
        self.hub.cost.close()
        if self.hub.elastic is not None:
            self.hub.elastic.close()
        self._fail_tasks(PoolHeld(self.hub.note))
        self.hub.fleet.lose()
        if self.hub.recorder is not None:
            self.hub.recorder.leave()
        for rank in self._ranks:
            self.hub.node(rank).tell(Gone(self.hub.note))
        self.hub.settled.set()

    @property
    def _over(self) -> bool:
        return self.hub.state in ("stopping", "taken")

    def _fail_tasks(self, error: PoolError) -> None:
        self.hub.placing.queue.clear()
        for entry in list(self.hub.desk.tasks.values()):
            rank = entry.rank if entry.rank is not None else -1
            end(self.hub, entry, Failure(rank, error, 0.0))

    def _start(self, ranks: tuple[int, ...]) -> None:
        for rank in ranks:
            self._ranks[rank].asked = time.monotonic()
        self.hub.supplier.tell(Start(ranks))

    def _remove(self, rank: int) -> None:
        self._copies.forget(rank)
        self._ranks.pop(rank, None)
        self.hub.generation[rank] = self.hub.generation.get(rank, 0) + 1
        self.hub.desk.nodes.pop(rank, None)
        if not self._over:
            self._introduce()

    def _introduce(self) -> None:
        ready = [rank for rank, state in self._ranks.items() if state.ready and not state.leaving]
        if len(ready) < self._desired:
            return
        peers = Peers(self.hub.peers(tuple(ready)))
        self._turn += 1
        self._told = frozenset(ready)
        self.hub.data.nodes_changed()
        introduced = Introduced(self._turn)
        self._introducing.start(self._tell(ready, peers, introduced), lambda _: self.hub.pool.tell(introduced))

    async def _tell(self, ranks: list[int], peers: Peers, introduced: Introduced) -> None:
        """A node that does not answer holds nobody up; its own actor finds out what became of it."""
        asks = (self.hub.worker(rank).ask(peers) for rank in ranks)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(asyncio.gather(*asks, return_exceptions=True), INTRODUCE_WITHIN)
        self.hub.pool.tell(introduced)

    def _settle(self) -> None:
        hub = self.hub
        if hub.state == "taken":
            hub.on_change()
            return
        waiting = any(not state.ready or state.leaving for state in self._ranks.values())
        if hub.state == "stopping":
            if not self._ranks:
                hub.become("stopped")
                hub.ended.set()
        elif not self._ranks and self._given_up:
            if hub.state != "failed":
                hub.become("failed")
                self._fail_tasks(
                    PoolStopped(f"pool {hub.name!r} has no node left: {hub.note or 'none could be started'}")
                )
        elif not waiting:
            hub.become("ready")
        if waiting and hub.state == "ready":
            hub.settled.clear()
        elif not waiting and self._introduced == self._turn:
            hub.settled.set()
        self._publish()
        hub.on_change()

    def _publish(self) -> None:
        """What broadcasts and cells go by: the nodes that know each other and stay, and whether they are all there."""
        staying = {rank: state.ready for rank, state in self._ranks.items() if not state.leaving}
        hub = self.hub
        hub.desired = self._desired
        hub.members = frozenset(rank for rank in self._acquainted if rank in staying)
        known = self._introduced == self._turn
        hub.whole = known and not hub.condemned and all(staying[rank] for rank in hub.members)
        hub.turn()


@actor(initial=0, idle_after=timedelta(days=365))
async def pool(ctx: Context[int, PoolMessage]) -> None:
    """One pool, from its start to its end."""
    hub = find(ctx.key)
    if hub is None:
        return
    it = _Pool(hub)
    async for message in ctx.inbox:
        it.handle(message)
