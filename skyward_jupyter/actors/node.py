"""The actor of one node: waiting until its agent has joined, idle or active while it takes tasks, lost in the end."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import casty
from casty import Context, actor

from skyward_jupyter.actors import placing, results
from skyward_jupyter.actors.adoption import adopt
from skyward_jupyter.actors.courier import CREDIT, Courier
from skyward_jupyter.actors.desk import NodeState, NodeView, TaskEntry
from skyward_jupyter.actors.hub import Hub, find, rank_of
from skyward_jupyter.actors.messages import (
    Act,
    Arrived,
    Assign,
    Direct,
    Drain,
    Enqueue,
    Follow,
    Gone,
    Joined,
    Kill,
    Lost,
    NodeDown,
    NodeUp,
    Phase,
    Recall,
    Returned,
    Taken,
)
from skyward_jupyter.wire.events import Kind
from skyward_jupyter.wire.messages import Control, Event, Owned

#: Least seconds between two views of a node's work.
PUBLISH_EVERY = 0.05
_LOG_LINES = 40
_CONNECT_RETRY = 0.01
_NEVER = timedelta(days=365)

type NodeMessage = Assign | Recall | Direct | Act | Follow | Arrived | Phase | Gone | Drain


class _Node:
    """What the actor of one node works with."""

    def __init__(self, hub: Hub, rank: int, me: casty.Ref[NodeMessage]) -> None:
        self.hub = hub
        self.rank = rank
        self._pooled = 0
        self._seconds = 0.0
        self._done = 0
        self._publishing: asyncio.TimerHandle | None = None
        self._draining = False
        self._returned: list[int] = []
        self._supplying: set[asyncio.Task[None]] = set()
        self._connecting: asyncio.Task[None] | None = None
        self.courier = Courier(
            hub.key,
            lambda exchange: hub.exchange(rank, exchange),
            self.deliver,
            self.settled,
            lambda why: me.tell(Gone(f"it does not answer: {why}")),
            epoch=hub.epoch,
            taken=lambda who: hub.pool.tell(Taken(who)),
        )
        self.view = NodeView(rank, NodeState.WAITING, "starting", hub.provider.address(rank), 0, hub.spec.concurrency)
        hub.show(self.view)

    def handle(self, message: NodeMessage) -> bool:
        """React to a message; returns whether the node lives on."""
        match message:
            case Assign(tasks):
                self.assign(tasks)
            case Recall():
                self.recall()
            case Direct(number):
                self.take(number)
                self.courier.flush()
            case Follow(number):
                self.courier.following[number] = False
                self.publish()
                self.courier.flush()
            case Arrived(event):
                self.arrive(event)
            case Act(number, action, amount):
                self.courier.control(Control(number, action, amount))
                self.courier.flush()
            case Phase(phase, pid):
                self.phase(phase, pid)
            case Drain():
                self._draining = True
                self.hub.placer.tell(NodeDown(self.rank))
                self.recall()
                self._maybe_leave()
            case Gone(why):
                self.lose(why)
                return False
        return True

    def assign(self, tasks: Sequence[int]) -> None:
        """Run pooled tasks; while the node leaves, they go back to the queue."""
        if self._draining:
            self.hub.placer.tell(Enqueue(tuple(tasks)))
            return
        for number in tasks:
            self.take(number)
        self.courier.flush()

    def recall(self) -> None:
        """Ask for the pooled tasks that wait behind others on the node."""
        for number, pooled in self.courier.following.items():
            entry = self.hub.desk.tasks.get(number)
            if pooled and not (entry is not None and entry.adopted):
                self.courier.control(Control(number, "return"))
        self.courier.flush()

    def phase(self, phase: str, pid: int) -> None:
        """Take in word of the provider."""
        log = (*self.view.log, phase)[-_LOG_LINES:]
        self.view = replace(self.view, phase=phase, pid=pid or self.view.pid, log=log)
        self.hub.show(self.view)
        if phase == "joined" and self._connecting is None:
            self._connecting = asyncio.get_running_loop().create_task(self._connect())

    async def _connect(self) -> None:
        """Wait until the node answers this kernel."""
        while True:
            try:
                owned: Owned = await self.hub.worker(self.rank).ask(self.hub.own())
                break
            except casty.Unavailable:
                await asyncio.sleep(_CONNECT_RETRY)
        if owned.taken:
            self.hub.pool.tell(Taken(owned.taken))
            return
        self.view = replace(self.view, state=NodeState.IDLE, phase="ready")
        self.hub.show(self.view)
        self.hub.takers[self.rank] = self.assign
        self.hub.placer.tell(NodeUp(self.rank, self.view.slots, self._adopt(owned)))
        self.hub.pool.tell(Joined(self.rank))

    def _adopt(self, owned: Owned) -> int:
        """Go on with what another kernel had here; returns how many slots that takes."""
        taken = 0
        self.courier.start_after(owned.after)
        for known in owned.tasks:
            pooled = not known.session and taken < self.view.slots
            taken += pooled
            self.courier.follow(adopt(self.hub, self.rank, known).id, pooled)
            if known.streams:
                # What the other kernel had read and not paid for is not known.
                self.courier.control(Control(known.task, "credit", CREDIT))
        if owned.session:
            self.hub.sessions.add(self.rank)
        self.courier.flush()
        return taken

    def take(self, number: int) -> None:
        """Put a task into the conversation with the node."""
        entry = self.hub.desk.tasks.get(number)
        if entry is None or entry.outcome.done():
            return
        entry.rank = self.rank
        if entry.blobs and not self.hub.payloads.shared:
            self._supplying.add(supply := asyncio.get_running_loop().create_task(self._supply(entry)))
            supply.add_done_callback(self._supplying.discard)
            return
        self._add(entry)

    async def _supply(self, entry: TaskEntry) -> None:
        """Bring what a task needs to the node, then the task."""
        try:
            await self.hub.payloads.send(entry.blobs, self.hub.worker, [self.rank], self.hub.provider.address)
        except Exception as error:
            results.lose(self.hub, entry, self.rank, f"what the task needs could not be sent: {error}")
            placing.settled(self.hub, self.rank, 1, 0.0)
            return
        self._add(entry)
        self.courier.flush()

    def _add(self, entry: TaskEntry) -> None:
        self.courier.add(entry)
        if entry.stopping:
            self.courier.control(Control(entry.id, entry.stopping))
        self.publish()

    def deliver(self, event: Event) -> None:
        """Hand an event to whoever waits for it."""
        entry = self.hub.desk.tasks.get(event.task)
        kind = Kind(event.kind)
        self.hub.desk.seen[self.rank] = event.seq
        if kind.final:
            self._done += 1
            if self.courier.following.pop(event.task, False):
                self._pooled += 1
                self._seconds += event.seconds
        if kind is Kind.BACK:
            self.courier.following.pop(event.task, None)
            self._returned.append(event.task)
        elif entry is None or entry.outcome.done():
            self.hub.payloads.discard(event.body)
        elif kind is Kind.CODE and entry.adopted:
            results.lose(self.hub, entry, self.rank, "it lacks the function, which was in the kernel that ended")
        elif kind is Kind.CODE:
            self.courier.again(entry)
        else:
            results.settle(self.hub, entry, self.rank, event)

    def arrive(self, event: Event) -> None:
        """Take an event that the head handed over; if others of this node come before it, pull them first."""
        if self.courier.advance(event):
            self.deliver(event)
            self.publish()
            self._maybe_leave()
        elif not self.courier.has(event):
            self.courier.following.setdefault(event.task, False)
            self.courier.flush()

    def settled(self) -> None:
        """After a batch: what came back is placed anew, and the place of pooled tasks that ended is free."""
        self.publish()
        if self._returned:
            self.hub.placer.tell(Returned(self.rank, tuple(self._returned)))
            self._returned.clear()
        self._maybe_leave()
        if self._pooled:
            pooled, seconds = self._pooled, self._seconds
            self._pooled, self._seconds = 0, 0.0
            placing.settled(self.hub, self.rank, pooled, seconds / pooled)

    def publish(self) -> None:
        """Show what the node is doing, shortly: many tasks may come and go meanwhile."""
        if self._publishing is None:
            self._publishing = asyncio.get_running_loop().call_later(PUBLISH_EVERY, self._publish)

    def _publish(self) -> None:
        self._publishing = None
        if self.view.state in (NodeState.WAITING, NodeState.LOST):
            return
        running = len(self.courier.following)
        state = NodeState.ACTIVE if running else NodeState.IDLE
        if (state, running, self._done) != (self.view.state, self.view.running, self.view.done):
            self.view = replace(self.view, state=state, running=running, done=self._done)
            self.hub.show(self.view)

    def lose(self, why: str) -> None:
        """The node is gone: fail what ran on it, and say so."""
        self.courier.close()
        if self.hub.takers.get(self.rank) == self.assign:
            del self.hub.takers[self.rank]
        if self._publishing is not None:
            self._publishing.cancel()
        if self._connecting is not None:
            self._connecting.cancel()
        self.hub.placer.tell(NodeDown(self.rank))
        self.hub.desk.seen.pop(self.rank, None)
        for entry in list(self.hub.desk.tasks.values()):
            if entry.rank == self.rank:
                results.lose(self.hub, entry, self.rank, why)
        self.view = replace(self.view, state=NodeState.LOST, phase=why, running=0)
        self.hub.show(self.view)
        self.hub.pool.tell(Lost(self.rank, why))

    def _maybe_leave(self) -> None:
        if self._draining and not self.courier.following and not self._supplying:
            self.hub.supplier.tell(Kill(self.rank))


@actor(initial=0, idle_after=_NEVER)
async def node(ctx: Context[int, NodeMessage]) -> None:
    """One node of a pool, from its start to its loss."""
    hub = find(ctx.key)
    if hub is None:
        return
    if hub.is_current(ctx.key):
        it = _Node(hub, rank_of(ctx.key), ctx.self)
        async for message in ctx.inbox:
            if not it.handle(message):
                break
    async for message in ctx.inbox:
        _too_late(hub, rank_of(ctx.key), message)


def _too_late(hub: Hub, rank: int, message: NodeMessage) -> None:
    """What was still told to a node that is gone: nothing of it has run."""
    match message:
        case Assign(tasks):
            hub.placer.tell(Enqueue(tasks))
        case Direct(number) | Follow(number):
            entry = hub.desk.tasks.get(number)
            if entry is not None:
                results.lose(hub, entry, rank, "it was gone already")
        case _:
            return
