"""The actor of one node: waiting until its agent has joined, idle or active while it takes tasks, lost in the end."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence
from datetime import timedelta

import casty
from casty import Context, actor

from skyward_jupyter.actors import placing, results, retrying
from skyward_jupyter.actors.adoption import adopt
from skyward_jupyter.actors.answered import answered
from skyward_jupyter.actors.courier import Courier
from skyward_jupyter.actors.desk import TaskEntry
from skyward_jupyter.actors.ending import end
from skyward_jupyter.actors.hub import Hub, find, rank_of
from skyward_jupyter.actors.imports import supply
from skyward_jupyter.actors.messages import (
    Act,
    Arrived,
    Assign,
    Direct,
    Drain,
    Enqueue,
    Follow,
    Give,
    Gone,
    Joined,
    Kill,
    Lacks,
    Left,
    Lost,
    Meet,
    NodeDown,
    NodeUp,
    Phase,
    Reach,
    Recall,
    Returned,
    Slots,
    Taken,
    Unheard,
    Wrote,
)
from skyward_jupyter.actors.shown import Shown
from skyward_jupyter.actors.vigil import Vigil
from skyward_jupyter.agent.actors import Stop
from skyward_jupyter.events import NodeLost, NodeReady, NodeStopped, TaskSent
from skyward_jupyter.tasks import Tasks, begin
from skyward_jupyter.wire.events import Failure, Kind
from skyward_jupyter.wire.feeds import FIRST_WINDOW
from skyward_jupyter.wire.messages import Control, Event, Owned

_SUPPLY_RETRY = 0.25
_NEVER = timedelta(days=365)
_KINDS = frozenset(Kind)
log = logging.getLogger("skyward")
#: Seconds that a node may take to leave in order; then it is ended.
_LEAVE_WITHIN = 8.0
#: Seconds between two looks whether it has nothing left to do.
_LOOK = 0.1

type NodeMessage = (
    Assign
    | Recall
    | Direct
    | Act
    | Give
    | Follow
    | Arrived
    | Phase
    | Meet
    | Wrote
    | Reach
    | Lacks
    | Gone
    | Left
    | Drain
    | Unheard
)


class _Node:
    """What the actor of one node works with."""

    def __init__(self, hub: Hub, rank: int, me: casty.Ref[NodeMessage]) -> None:
        self.hub = hub
        self.rank = rank
        self._pooled = 0
        self._slots = hub.spec.concurrency
        self._seconds = 0.0
        self._draining = False
        self._leaving: asyncio.TimerHandle | None = None
        self._looking: asyncio.TimerHandle | None = None
        self._connected = False
        self.vigil = Vigil(hub, rank, lambda: bool(self.courier.following), lambda why: me.tell(Gone(why)))
        self._returned: list[int] = []
        self._session_turn = asyncio.Lock()
        self._sessions_waiting = 0
        self._supplying = Tasks(f"sending node {rank} what its tasks need")
        self._connecting: asyncio.Task[None] | None = None
        self._importing: asyncio.Task[None] | None = None
        self._me = me
        self.courier = Courier(
            hub.key,
            lambda exchange: hub.exchange(rank, exchange),
            self.deliver,
            self.settled,
            lambda why: me.tell(Gone(f"it does not answer: {why}")),
            alive=self._runs,
            epoch=hub.epoch,
            taken=lambda who: hub.pool.tell(Taken(who)),
            project=lambda: hub.project.code,
        )
        self.shown = Shown(hub, rank, lambda: len(self.courier.following))

    def _runs(self) -> bool:
        """Return whether it may well run although it does not answer: it is dialled again, unless its link is broken.

        Whether it is still there is judged by `vigil`, and not by how long it does not answer.
        """
        hub = self.hub
        if not hub.fleet.alive(self.rank):
            return False
        if hub.unreached(self.rank) or hub.redial is None or hub.detours is None:
            return True
        if hub.shut_out(self.rank):
            hub.detours.seek(self.rank)
            self.vigil.doubt()
        else:
            hub.redial.missed(self.rank)
        return True

    def handle(self, message: NodeMessage) -> bool:
        """React to a message; returns whether the node lives on."""
        match message:
            case Assign(tasks):
                self.assign(tasks)
            case Recall():
                self.recall()
            case Direct(number):
                self.take(number)
                self._flush()
            case Follow(number):
                self.follow(number)
            case Arrived(event):
                self.arrive(event)
            case Act(number, action, amount, read):
                self.courier.control(Control(number, action, amount, read))
                self._flush()
            case Give(feed):
                self.courier.feed(feed)
                self._flush()
            case Phase(phase, pid):
                self.shown.phase(phase, pid)
            case Meet():
                self.meet()
            case Wrote(text):
                self.shown.wrote(text)
            case Reach(why):
                self.reach(why)
            case Drain():
                self._draining = True
                self.hub.placer.tell(NodeDown(self.rank))
                self.recall()
                self._maybe_leave()
            case Lacks(slots, why):
                self.lack(slots, why)
            case Gone(why, final):
                self.lose(why, final)
                return False
            case Left(pid):
                self.hub.payloads.abandon(pid)
            case Unheard():
                # The one before it at its address may be given up after it has come.
                if self._connected and self.hub.shut_out(self.rank):
                    self.vigil.doubt()
        return True

    def assign(self, tasks: Sequence[int]) -> None:
        """Run pooled tasks; while the node leaves, they go back to the queue."""
        if self._draining:
            self.hub.placer.tell(Enqueue(tuple(tasks)))
            return
        for number in tasks:
            self.take(number)
        self._flush()

    def follow(self, number: int) -> None:
        """Pull the events of a task that came through the head, unless its end was faster than this message."""
        entry = self.hub.desk.tasks.get(number)
        if entry is not None and not entry.outcome.done():
            self.courier.following[number] = False
            self.shown.work()
            self._flush()

    def recall(self) -> None:
        """Ask for the pooled tasks that wait behind others on the node."""
        for number, pooled in self.courier.following.items():
            entry = self.hub.desk.tasks.get(number)
            if pooled and not (entry is not None and entry.adopted):
                self.courier.control(Control(number, "return"))
        self._flush()

    def _flush(self) -> None:
        """Send what there is to send, once there is somebody to send it to, and see that it is answered."""
        if not self._connected:
            return
        self.courier.flush()
        self.vigil.keep()

    def meet(self) -> None:
        """Connect to the node, which has joined."""
        if self._connecting is None:
            self._connecting = begin(
                self._connect(),
                f"connecting to node {self.rank} of pool {self.hub.name!r}",
                lambda error: self._me.tell(Gone(f"it could not be asked: {type(error).__name__}: {error}")),
            )

    def reach(self, why: str) -> None:
        """Its link is broken, or mended when there is no reason: it is known to run, whatever it does meanwhile."""
        if self.shown.reach(why):
            self.hub.placing.away(self.rank, bool(why))
            if not why:
                placing.assign(self.hub)

    def lack(self, slots: int, why: str) -> None:
        """The system has no room for all its slots: what waits on it goes to nodes that have."""
        fewer, self._slots = slots < self._slots, slots
        self.shown.lack(why)
        self.hub.placer.tell(Slots(self.rank, slots))
        if fewer:
            self.recall()

    async def _connect(self) -> None:
        """Wait until the node answers this kernel; another takes the place of one that does not."""
        hub, rank = self.hub, self.rank
        try:
            owned: Owned = await answered(
                lambda: hub.worker(rank).ask(hub.own()),
                lambda: self.shown.wrote("does not answer yet; it is asked again"),
                lambda: hub.client_of(rank) is not None and not hub.unreached(rank),
            )
        except TimeoutError as error:
            self._me.tell(Gone(f"it had joined, but {error}"))
            return
        if owned.taken:
            self.hub.pool.tell(Taken(owned.taken))
            return
        self.shown.ready()
        self._connected = True
        if not self.hub.payloads.shared:
            self._importing = begin(supply(self.hub, self.rank), f"sending node {self.rank} what it imports")
        self._flush()
        self.hub.takers[self.rank] = self.assign
        self.hub.hearers[self.rank] = self.courier.hear
        self.hub.placer.tell(NodeUp(self.rank, self._slots, self._adopt(owned)))
        self.hub.events.emit(NodeReady, self.rank, self.shown.view.address)
        self.hub.pool.tell(Joined(self.rank))

    def _adopt(self, owned: Owned) -> int:
        """Go on with what another kernel had here; returns how many slots that takes."""
        taken = 0
        self.courier.start_after(owned.after)
        self.hub.handed.extend(owned.handed)
        for known in owned.tasks:
            pooled = not known.session and taken < self.shown.view.slots
            taken += pooled
            self.courier.follow(adopt(self.hub, self.rank, known).id, pooled)
            if known.streams:
                # What the other kernel had read and not paid for is not known.
                self.courier.control(Control(known.task, "credit", FIRST_WINDOW))
        to_come = sum(known.state == "ended" for known in owned.tasks)
        self.hub.desk.tallies.adopt(self.rank, owned.ended, to_come)
        if owned.session:
            self.hub.sessions.add(self.rank)
            self.hub.desk.sessions.add(self.rank)
        self._flush()
        return taken

    def take(self, number: int) -> None:
        """Put a task into the conversation with the node."""
        entry = self.hub.desk.tasks.get(number)
        if entry is None or entry.outcome.done():
            return
        entry.rank = self.rank
        if entry.session:
            self.hub.desk.sessions.add(self.rank)
        if self._lacks(entry) or (entry.session and self._sessions_waiting):
            self._sessions_waiting += entry.session
            work = self._in_turn(entry) if entry.session else self._supply(entry)
            self._supplying.start(work, lambda error: end(self.hub, entry, Failure(self.rank, error, 0.0)))
            return
        self._add(entry)

    def _lacks(self, entry: TaskEntry) -> bool:
        """Return whether a task needs what must be brought to the node."""
        return bool(entry.blobs) and not self.hub.payloads.shared

    async def _in_turn(self, entry: TaskEntry) -> None:
        """Supply a session task, and send it after those that were called before it."""
        async with self._session_turn:
            try:
                if self._lacks(entry):
                    await self._supply(entry)
                else:
                    self._add(entry)
                    self._flush()
            finally:
                self._sessions_waiting -= 1

    async def _supply(self, entry: TaskEntry) -> None:
        """Bring what a task needs to the node, then the task."""
        payloads, address = self.hub.payloads, self.hub.fleet.address
        try:
            await payloads.through(
                lambda: payloads.send(entry.blobs, self.hub.worker, [self.rank], address),
                lambda: not entry.outcome.done(),
            )
        except Exception as error:
            await self._not_supplied(entry, error)
            return
        self._add(entry)
        self._flush()

    async def _not_supplied(self, entry: TaskEntry, error: Exception) -> None:
        """What a task needs did not reach the node: it goes elsewhere, after a moment, or ends."""
        if isinstance(error, casty.Unavailable):
            await asyncio.sleep(_SUPPLY_RETRY)
        else:
            entry.sent = entry.sent or time.time()  # it counts: the next node may refuse it for the same reason
        if entry.pooled:
            self.hub.placing.settled(self.rank, 1, 0.0)
        retrying.lose(self.hub, [entry], self.rank, f"what the task needs could not be sent: {error}")

    def _add(self, entry: TaskEntry) -> None:
        self.courier.add(entry)
        if self.hub.events.tasks:
            self.hub.events.emit(TaskSent, entry.id, entry.name, self.rank)
        if entry.stopping:
            self.courier.control(Control(entry.id, entry.stopping))
        self.shown.work()

    def deliver(self, event: Event) -> None:
        """Hand an event to whoever waits for it."""
        entry = self.hub.desk.tasks.get(event.task)
        self.hub.desk.seen[self.rank] = event.seq
        if event.kind not in _KINDS:
            log.error("node %d reported kind %d of a task, which is unknown here; it is ignored", self.rank, event.kind)
            return
        kind = Kind(event.kind)
        if kind is Kind.NAMED:
            self.hub.losses.know(event.body.decode(errors="replace"))
            return
        if kind.final:
            if entry is not None:
                entry.arrived, entry.seconds = time.time(), event.seconds
            if self.courier.following.pop(event.task, False):
                self._pooled += 1
                self._seconds += event.seconds
        if kind in (Kind.YIELD, Kind.YIELDS) and entry is not None:
            entry.yielded = True
        if kind is Kind.BACK:
            self.courier.following.pop(event.task, None)
            self._returned.append(event.task)
        elif kind is Kind.OUTPUT and (entry is None or entry.outcome.done()):
            results.late(self.hub, self.rank, event)
        elif entry is None or entry.outcome.done():
            self.hub.payloads.discard(event.body, lambda: self.hub.worker(self.rank))
        elif kind is Kind.CODE and entry.adopted:
            retrying.lose(self.hub, [entry], self.rank, "it lacks the function, which was in the kernel that ended")
        elif kind is Kind.CODE:
            self.courier.again(entry)
        elif kind is Kind.WANT:
            results.grant(entry, self.rank, event)
        else:
            results.settle(self.hub, entry, self.rank, event)

    def arrive(self, event: Event) -> None:
        """Take an event that the head handed over; if others of this node come before it, pull them first."""
        if self.courier.advance(event):
            self.deliver(event)
            self.shown.work()
            self._maybe_leave()
        elif not self.courier.has(event):
            self.courier.following.setdefault(event.task, False)
            self._flush()

    def settled(self) -> None:
        """After a batch: what came back is placed anew, and the place of pooled tasks that ended is free."""
        self.vigil.heard()
        self.hub.informed[self.rank] = self.courier.project
        if self.hub.redial is not None:
            self.hub.redial.answered(self.rank)
        self.shown.work()
        if self._returned:
            self.hub.placer.tell(Returned(self.rank, tuple(self._returned)))
            self._returned.clear()
        self._maybe_leave()
        if self._pooled:
            pooled, seconds = self._pooled, self._seconds
            self._pooled, self._seconds = 0, 0.0
            placing.settled(self.hub, self.rank, pooled, seconds / pooled)

    def lose(self, why: str, final: bool = False) -> None:
        """The node is gone: fail what ran on it, and say so."""
        self.courier.close()
        if self.hub.takers.get(self.rank) == self.assign:
            del self.hub.takers[self.rank]
            self.hub.hearers.pop(self.rank, None)
        for timer in (self._leaving, self._looking):
            if timer is not None:
                timer.cancel()
        self.vigil.close()
        if self.hub.detours is not None:
            self.hub.detours.drop(self.rank)
        for work in (self._connecting, self._importing, *self._supplying):
            if work is not None:
                work.cancel()
        # At once, so that nothing is placed here; and again after a NodeUp that may be on its way.
        self.hub.placing.down(self.rank)
        self.hub.placer.tell(NodeDown(self.rank))
        self.hub.desk.seen.pop(self.rank, None)
        self.hub.informed.pop(self.rank, None)
        self.hub.desk.turnaround.pop(self.rank, None)
        self.hub.desk.sessions.discard(self.rank)
        self.hub.desk.tallies.fresh(self.rank)
        self.shown.lost(why)
        if self.hub.state == "ready" and not self._draining:
            # Whoever learns of the loss may wait for the one in its place before the pool's actor has heard of it.
            self.hub.settled.clear()
        if self._draining or self.hub.state == "stopping":
            self.hub.events.emit(NodeStopped, self.rank)
        else:
            self.hub.events.emit(NodeLost, self.rank, why)
        retrying.lose(self.hub, list(self.hub.desk.tasks.values()), self.rank, why)
        self.hub.pool.tell(Lost(self.rank, why, final))

    def _maybe_leave(self) -> None:
        """Leave once nothing is left to do here. It is looked again until then: not all that ends a task says so here.

        A broadcast may come through the head, a result may be fetched, a task that came back be placed anew.
        """
        if not self._draining or self._leaving is not None:
            return
        if self._looking is not None:
            self._looking.cancel()
        if self._is_done():
            self._leave()
        else:
            self._looking = asyncio.get_running_loop().call_later(_LOOK, self._maybe_leave)

    def _is_done(self) -> bool:
        if self.courier.following or self._supplying:
            return False
        return not any(entry.rank == self.rank for entry in self.hub.desk.tasks.values())

    def _leave(self) -> None:
        """Have the node leave: what collections keep on it goes to others first, within a time."""
        if self._leaving is None and self._connected:
            self.hub.worker(self.rank).tell(Stop())
            self._leaving = asyncio.get_running_loop().call_later(_LEAVE_WITHIN, self._end)
        elif self._leaving is None:
            self._end()

    def _end(self) -> None:
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
                retrying.lose(hub, [entry], rank, "it was gone already")
        case Left(pid):
            hub.payloads.abandon(pid)
        case _:
            return
