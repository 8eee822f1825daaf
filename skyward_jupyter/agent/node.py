"""The agent: one process per node, a member of the pool's cluster, that queues tasks for its slots and keeps their log.

User code never runs here. What a task does reaches the kernel through the run log of its client; a task is known by
its id, so one that is sent twice runs once.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections import deque
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Protocol

from casty import Ref

from skyward_jupyter.agent.channel import Channel
from skyward_jupyter.agent.client import Client, Follower, refuse_exchange
from skyward_jupyter.agent.config import AgentConfig, Peer
from skyward_jupyter.agent.crew import SESSION, Crew
from skyward_jupyter.agent.failure import Failed, call_in
from skyward_jupyter.agent.frames import COUNT, SECONDS
from skyward_jupyter.agent.gpus import GpuMeter
from skyward_jupyter.agent.lease import Lease, Owner
from skyward_jupyter.agent.metrics import Meter
from skyward_jupyter.agent.modules import Modules
from skyward_jupyter.agent.pipes import kept
from skyward_jupyter.agent.slots import Running, SlotLink
from skyward_jupyter.collections.data_nodes import DataCluster, Member
from skyward_jupyter.collections.losses import Losses
from skyward_jupyter.collections.repair import Repair
from skyward_jupyter.collections.steward import drop_kernels
from skyward_jupyter.tasks import begin
from skyward_jupyter.wire.blobs import BlobStore
from skyward_jupyter.wire.codec import blobs_of
from skyward_jupyter.wire.events import Kind
from skyward_jupyter.wire.messages import (
    Code,
    Control,
    Event,
    Exchange,
    Feed,
    Load,
    Loss,
    Own,
    Owned,
    Renew,
    Task,
)
from skyward_jupyter.wire.parts import every_blob_of
from skyward_jupyter.wire.remnants import remove_results
from skyward_jupyter.wire.said import packed_text

_CODES = 512
#: What bytes begin with that may name blobs.
_NAMING = frozenset({b"b", b"x"})
#: Seconds between a part of a task and the task itself.
_ON_ITS_WAY = 60.0
#: Seconds between two looks at whether a node that is to go has something to do.
_LOOK = 0.1


class Workers(Protocol):
    """The workers of the other nodes."""

    def at(self, address: str) -> Ref[Any]:
        """The worker of the node at `address`."""
        ...


class Agent:
    """The state of one node."""

    def __init__(self, config: AgentConfig, template: Channel) -> None:
        self.config = config
        self.store = BlobStore(Path(config.store), needed=self._needed)
        self.repair = Repair()
        self.data: DataCluster | None = None
        self.losses = Losses()
        self.modules = Modules(Path(config.store).parent / "project", self.store)
        self.peers = config.peers
        self.done = 0
        self.failed = 0
        self.over = asyncio.Event()
        self.leaving = self.joined = False
        self.others: Workers | None = None
        owner = Owner(config.owner, config.owner_since, config.owner_name)
        self.lease = Lease(owner, config.epoch, config.ttl, self._alone, self._expired, renewed=config.renewed)
        self.crew = Crew(
            config, template.send, self._heard, self._said, self._dispatch, self._died, self._lacks, self._note
        )
        self.gpus = GpuMeter([gpu.index for gpu in config.accelerators], config.env.get("PATH"))
        self._template = template
        self._clients: dict[str, Client] = {}
        self._kernel = ""
        self._codes: dict[str, bytes] = {}
        self._queue: deque[Running] = deque()
        self._session_queue: deque[Running] = deque()
        self._meter = Meter(os.getpid())
        self._expected: dict[str, float] = {}
        self._told: dict[str, int] = {}
        self._idle: asyncio.Task[None] | None = None

    # -- what the worker and broadcast actors ask ----------------------------------------------------------------

    def own(self, message: Own) -> Owned:
        """Another kernel, or the same, drives the pool now."""
        before, was_alive, epoch = self.lease.owner.name, self.lease.held, self.lease.epoch
        if not self.lease.take(Owner(message.pid, message.since, message.name), message.epoch):
            return Owned(before)
        if message.epoch > epoch:
            drop_kernels()
        client = self.client(message.client)
        self._kernel = message.client
        if message.loss is not None:
            self.bereave(message.loss)
        for held in client.release(message.epoch):
            refuse_exchange(held, self.lease.owner.name)
        running = {it.task.id: it.yields for _, it in self.crew.running if it.client == message.client}
        return Owned(
            before=before,
            was_alive=was_alive,
            tasks=client.tasks(running),
            after=client.log.acknowledged,
            session=self.crew.has_session,
            handed=client.handed(),
            ended=(client.done, client.failed, client.cancelled),
        )

    def named(self, name: str) -> None:
        """A collection is used here for the first time: the kernel knows then whom to tell of a loss."""
        if self._kernel:
            self.client(self._kernel).tell(0, Kind.NAMED, name.encode())

    def bereave(self, loss: Loss) -> None:
        """Nodes were lost together: collections tell of it."""
        self.losses.add(loss)

    def renew(self, epoch: int, spread: bool = False) -> None:
        """The kernel of this epoch, on another machine, is alive; the other nodes are told when `spread`."""
        self.lease.renew(epoch)
        if spread and self.others is not None:
            for peer in self.peers:
                if peer.rank != self.config.rank:
                    self.others.at(peer.address).tell(Renew(epoch))

    def taken(self, epoch: int) -> str:
        """Who has the pool instead of one that knows of this epoch; empty when nobody does."""
        return self.lease.owner.name if epoch < self.lease.epoch else ""

    def exchange(self, asked: Exchange) -> None:
        """Take in an exchange; it is answered now or when there is something to say."""
        if self.taken(asked.epoch):
            refuse_exchange(asked, self.lease.owner.name)
            return
        client = self.client(asked.client)
        client.acknowledge(asked.after)
        if asked.project is not None:
            self.modules.take(asked.project)
        for code in asked.codes:
            self.learn(code)
        for task in asked.tasks:
            self.submit(asked.client, task)
        for control in asked.controls:
            self.control(asked.client, control)
        for feed in asked.feeds:
            self._feed(asked.client, feed)
        if asked.listen:
            client.listen(asked)
        else:
            client.hold(asked)

    def expect(self, blobs: Iterable[str]) -> None:
        """Keep blobs, which come before the task that needs them, until it is here."""
        until = time.monotonic() + _ON_ITS_WAY
        self._expected.update(dict.fromkeys(blobs, until))

    def submit(self, name: str, task: Task) -> None:
        """Queue a task, unless this node has seen it."""
        client = self.client(name)
        if not client.remember(task):
            return
        if self._expected:
            for blob in blobs_of(task.args):
                self._expected.pop(blob.name, None)
        running = Running(name, task)
        if client.refused(task.id):
            running.stopping = "interrupted"
            self._end(running, Kind.ERROR, self._failed("interrupted"))
            return
        if task.session:
            self._session_queue.append(running)
            self.crew.ask_session()
        else:
            self._queue.append(running)
        self._dispatch()

    async def finished(self, client: str, task: Task) -> Event:
        """The last event of a task that `submit` is given here."""
        end = self.client(client).end_of(task.id)
        self.submit(client, task)
        return await end

    def learn(self, code: Code) -> None:
        """Keep a function for the tasks that name it."""
        self._codes.pop(code.digest, None)
        self._codes[code.digest] = code.body
        while len(self._codes) > _CODES:
            del self._codes[next(iter(self._codes))]

    def follow(self, client: str, follower: Follower) -> None:
        """Tell `follower` what becomes of a client's tasks, instead of keeping it for the client."""
        self.client(client).follower = follower

    def know(self, peers: tuple[Peer, ...]) -> None:
        """The nodes of the pool changed."""
        self.peers = peers
        self.crew.know(peers)
        if self.data is not None:
            self.data.nodes_changed()

    @property
    def life(self) -> str:
        """Which member of the cluster of the data nodes this node is, by its incarnation; empty for none."""
        return self.data.system.node.incarnation.hex if isinstance(self.data, Member) else ""

    def load(self, meter: Meter | None = None) -> Load:
        """What this node measures of itself now; CPU is since the last reading of `meter`."""
        running = [slot for slot, _ in self.crew.running]
        jobs = sum(self.client(it.client).follower is not None for _, it in self.crew.running)
        busy = sum(slot.index != SESSION for slot in running)
        cpu, memory = (meter or self._meter).read({slot.pid for slot in self.crew})
        return Load(cpu, memory, len(running), self.done, busy, jobs=jobs, jobs_ended=self._jobs_ended())

    def running(self, client: str) -> tuple[tuple[int, float], ...]:
        """The tasks of a client that run, and for how many seconds they have."""
        now = time.monotonic()
        return tuple((it.task.id, now - it.began) for _, it in self.crew.running if it.client == client)

    def _jobs_ended(self) -> tuple[int, int, int]:
        others = [client for client in self._clients.values() if client.follower is not None]
        return sum(it.done for it in others), sum(it.failed for it in others), sum(it.cancelled for it in others)

    @property
    def queued(self) -> int:
        """Tasks that wait for a slot."""
        return len(self._queue) + len(self._session_queue)

    @property
    def dropped(self) -> int:
        """Bytes of output that went because a client did not read it."""
        return sum(client.log.lost for client in self._clients.values())

    def client(self, name: str) -> Client:
        """The client of this name, known from now on."""
        known = self._clients.get(name)
        if known is None:
            known = self._clients[name] = Client(lambda blob: self.store.drop(blob.name))
        return known

    def _expired(self) -> None:
        self.report("expired")
        self.stop()

    def stop(self) -> None:
        """End this agent, in order if that is a matter of a moment."""
        self.over.set()

    def leave(self) -> None:
        """End this agent once other nodes have what is kept on it."""
        self.leaving = True
        self.stop()

    def shut_out(self, why: str) -> None:
        """End this agent as soon as it has nothing to do: nobody new can reach it any more."""
        self._note(f"{why}; another takes the node's place once it has nothing to do")
        self._idle = begin(self._leave_when_idle(why), "leaving once it is idle", lambda _: self.leave())

    async def _leave_when_idle(self, why: str) -> None:
        while self.queued or any(self.crew.running):  # noqa: ASYNC110 (looking costs the path of a call nothing)
            await asyncio.sleep(_LOOK)
        self.report("failed", why=why)
        self.leave()

    # -- tasks ---------------------------------------------------------------------------------------------------

    def _dispatch(self) -> None:
        for slot in self.crew:
            queue = self._session_queue if slot.index == SESSION else self._queue
            if slot.free and queue and not self._waits(slot, queue[0].task):
                self._start(slot, queue.popleft())

    def _waits(self, slot: SlotLink, task: Task) -> bool:
        return self.crew.waits(slot, task, self._codes.get(task.code, b"p"), self.modules.project)

    def _start(self, slot: SlotLink, running: Running) -> None:
        client = self.client(running.client)
        code = self._codes.get(running.task.code)
        if code is None:
            client.forget(running.task.id)
            client.tell(running.task.id, Kind.CODE, b"")
            return
        slot.run(running, code, self.modules.project)
        if client.follower is not None:
            client.follower.began(running.task.id)

    def _heard(self, slot: SlotLink, task: int, kind: Kind, body: bytes) -> None:
        if kind is Kind.CALM:
            self._dispatch()
            return
        if kind is Kind.ANSWER:
            self.crew.answered(task, body)
            return
        running = slot.running
        if running is None or running.task.id != task:
            self._late(slot.past(task), kind, body)
            return
        if not kind.final:
            self._still_runs(running, kind, body)
            return
        (seconds,) = SECONDS.unpack_from(body)
        slot.ended()
        self._ended(running, kind, body[SECONDS.size :], seconds)
        if slot.wears(running.task):
            slot.retire()
        self._dispatch()

    def _slot_ended(self, pid: int) -> None:
        """Remove what a slot has kept for others who will not hear of it."""
        remove_results(self.store.directory, pid, self._told)
        mine = f"{pid:08x}"
        self._told = {token: number for token, number in self._told.items() if not token.startswith(mine)}

    def _tell(
        self,
        client: Client,
        task: int,
        kind: Kind,
        body: bytes,
        seconds: float = 0.0,
        overdue: float = 0.0,
        full: bool = False,
    ) -> None:
        """Tell a client what came from a slot; what it names is that client's from now on."""
        for blob in blobs_of(body) if body[:1] in _NAMING else ():
            token, _, number = blob.name.partition("-")
            if number and int(number) > self._told.get(token, 0):
                self._told[token] = int(number)
        client.tell(task, kind, body, seconds, overdue, full)

    def _still_runs(self, running: Running, kind: Kind, body: bytes) -> None:
        """Hand on what a task reports before its end; with a yield, whether it has used what it may yield."""
        full = False
        if kind is Kind.YIELD or kind is Kind.YIELDS:
            count = 1
            if kind is Kind.YIELDS:
                (count,) = COUNT.unpack_from(body)
                body = body[COUNT.size :]
            running.yields += count
            full = running.yields >= running.credit
        self._tell(self.client(running.client), running.task.id, kind, body, full=full)

    def _said(self, slot: SlotLink, stream: str, text: str) -> None:
        """C code or a child process of a slot's task wrote."""
        running = slot.running
        if running is not None and stream in kept(running.task.flags):
            self.client(running.client).tell(running.task.id, Kind.OUTPUT, packed_text(stream, text))
        elif running is None and (ended := slot.past()) is not None and stream in kept(ended.task.flags):
            self._late(ended, Kind.OUTPUT, packed_text(stream, text))

    def _late(self, ended: Running | None, kind: Kind, body: bytes) -> None:
        """A thread or child process of a task that has ended wrote."""
        client = self.client(ended.client) if ended is not None else None
        if ended is not None and kind is Kind.OUTPUT and client is not None and client.follower is None:
            client.tell_late(ended.task.id, body)
            return
        for blob in every_blob_of(body, self.store.open) if kind is Kind.DISPLAY else ():
            self.store.drop(blob.name)

    def _died(self, running: Running, code: int) -> None:
        how = {"interrupted": "killed", "renewed": "renewed"}.get(running.stopping, "died")
        facts: dict[str, object] = {"code": code}
        if running.stopping == "timeout":
            how, facts = "timeout", {"seconds": running.task.timeout, "killed": True}
        self._end(running, Kind.ERROR, self._failed(how, facts))

    def _ended(self, running: Running, kind: Kind, body: bytes, seconds: float) -> None:
        """A task has ended by itself; one that was to stop at its timeout has failed by it, whatever it says."""
        overdue = running.task.timeout if running.stopping == "timeout" else 0.0
        cell = running.task.session and kind is Kind.VALUE  # the kernel needs to know what it left in the session
        if overdue and not cell:
            facts: dict[str, object] = {"seconds": overdue}
            if kind is Kind.ERROR and (call := call_in(body)):
                facts["call"] = call
            for blob in every_blob_of(body, self.store.open):
                self.store.drop(blob.name)
            kind, body = Kind.ERROR, self._failed("timeout", facts)
        self._end(running, kind, body, seconds, overdue if cell else 0.0)

    def _end(self, running: Running, kind: Kind, body: bytes, seconds: float = 0.0, overdue: float = 0.0) -> None:
        running.cancel_timers()
        self.done += 1
        self.failed += kind is Kind.ERROR or overdue > 0
        self._count(running, kind, overdue)
        self._tell(self.client(running.client), running.task.id, kind, body, seconds, overdue)

    def _count(self, running: Running, kind: Kind, overdue: float) -> None:
        client = self.client(running.client)
        if kind is not Kind.ERROR and not overdue:
            client.done += 1
        elif running.stopping == "interrupted":
            client.cancelled += 1
        else:
            client.failed += 1

    def _needed(self) -> set[str]:
        """The blobs of the tasks that wait or run here, and of those that are on their way."""
        now = time.monotonic()
        self._expected = {name: until for name, until in self._expected.items() if until > now}
        tasks = [it.task for it in (*self._queue, *self._session_queue, *(running for _, running in self.crew.running))]
        packed = (data for task in tasks for data in (task.args, self._codes.get(task.code, b"p")))
        return {blob.name for data in packed for blob in blobs_of(data)} | self._expected.keys()

    def _failed(self, how: str, facts: dict[str, object] | None = None) -> bytes:
        return Failed(how, facts=facts or {}).to_bytes(self.store.put)

    def control(self, client: str, control: Control) -> None:
        """Do something to a task."""
        if control.action == "return":
            self._give_back(client, control.task)
            return
        known = self.client(client)
        if control.action in ("interrupt", "kill", "renew") and not known.knows(control.task):
            known.refuse(control.task)
            return
        if control.action != "credit":
            waiting = self._unqueued(client, control.task, (self._queue, self._session_queue))
            if waiting is not None:
                waiting.stopping = "interrupted"
                self._end(waiting, Kind.ERROR, self._failed("interrupted"))
                return
        slot = self.crew.of(client, control.task)
        if slot is not None:
            _act(slot, control)

    def _feed(self, client: str, feed: Feed) -> None:
        """Hand on a piece of a stream; only a task that runs asks for any."""
        if (slot := self.crew.of(client, feed.task)) is not None:
            slot.feed(feed)

    def _give_back(self, name: str, task: int) -> None:
        """Hand a task that has not begun back to its client."""
        if self._unqueued(name, task, (self._queue,)) is not None:
            client = self.client(name)
            client.forget(task)
            client.tell(task, Kind.BACK, b"")

    @staticmethod
    def _unqueued(client: str, task: int, queues: tuple[deque[Running], ...]) -> Running | None:
        """A client's task that waited in one of `queues`, and does not any more."""
        for queue in queues:
            for running in queue:
                if (running.client, running.task.id) == (client, task):
                    queue.remove(running)
                    return running
        return None

    # -- its template --------------------------------------------------------------------------------------------

    def serve_template(self) -> None:
        """Take in what the template has to say; without a template there is no agent."""
        received = self._template.receive()
        if received is None:
            self.stop()
            asyncio.get_running_loop().remove_reader(self._template)
            return
        for message, fds in received:
            match message["op"]:
                case "slot":
                    self.crew.began(message, fds)
                case "slot_exited":
                    self.crew.ended(message["slot"], message["pid"], message["code"])
                    self._slot_ended(message["pid"])
                    if self._session_queue:
                        self.crew.ask_session()
                case "stocked":
                    self.crew.stocked(message)
                case "slot_failed":
                    self.crew.failed(message["slot"], message["why"])
                case "renew":
                    self.renew(message["epoch"], message["spread"])

    def report(self, what: str, **facts: object) -> None:
        """Tell whoever launched this agent something."""
        with contextlib.suppress(OSError):
            self._template.send({"op": "report", "what": what, **facts})

    def _alone(self) -> None:
        self.report("alone")
        drop_kernels()

    def _lacks(self, slots: int, why: str) -> None:
        self.report("lacks", slots=slots, text=why)

    def _note(self, text: str) -> None:
        self.report("log", text=text)


def _act(slot: SlotLink, control: Control) -> None:
    """Do something to the task that a slot runs."""
    match control.action:
        case "interrupt":
            slot.interrupt("interrupted")
        case "kill" | "renew":
            if slot.running is not None:
                slot.running.stopping = "interrupted" if control.action == "kill" else "renewed"
            slot.kill()
        case "credit":
            slot.credit(control.amount, control.read)
        case "close":
            slot.close_stream()
