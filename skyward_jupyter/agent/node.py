"""The agent: one process per node, a member of the pool's cluster, that queues tasks for its slots and keeps their log.

User code never runs here. What a task does reaches the kernel through the run log of its client; a task is known by
its id, so one that is sent twice runs once.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import time
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path

from skyward_jupyter.agent import actors
from skyward_jupyter.agent.channel import Channel, Message
from skyward_jupyter.agent.cluster import join
from skyward_jupyter.agent.config import AgentConfig, Peer
from skyward_jupyter.agent.failure import Failed
from skyward_jupyter.agent.frames import SECONDS
from skyward_jupyter.agent.http import listen
from skyward_jupyter.agent.jobs import Follower
from skyward_jupyter.agent.lease import Lease, Owner
from skyward_jupyter.agent.log import RunLog
from skyward_jupyter.agent.metrics import Meter
from skyward_jupyter.agent.slots import Running, SlotLink, connect
from skyward_jupyter.wire.blobs import BlobStore
from skyward_jupyter.wire.codec import pack
from skyward_jupyter.wire.events import Kind
from skyward_jupyter.wire.messages import (
    Batch,
    Code,
    Control,
    Event,
    Exchange,
    Feed,
    Known,
    Load,
    Own,
    Owned,
    Task,
)

#: The slot index of the session.
SESSION = -1
#: Seconds that output may wait for more before an exchange is answered.
_GATHER = 0.02
_CODES = 512
#: Seconds that leaving the cluster in order may take.
_LEAVE = 2.0
#: How many task ids are remembered, to know one that comes again.
_REMEMBERED = 100_000
#: A slot that ends sooner than this after its start (seconds) may never have worked; so many are replaced at once.
_SHORT_LIFE = 1.0
_SHORT_LIVES = 20


@dataclass(slots=True)
class _Client:
    """A kernel as this node knows it: its log, and the exchange that waits for events."""

    log: RunLog
    seen: dict[int, tuple[Task, float] | None] = field(default_factory=dict)
    refused: dict[int, bool] = field(default_factory=dict)
    held: Exchange | None = None
    timer: asyncio.TimerHandle | None = None
    waiting: dict[int, asyncio.Future[Event]] = field(default_factory=dict)
    follower: Follower | None = None


class Agent:
    """The state of one node."""

    def __init__(self, config: AgentConfig, template: Channel) -> None:
        self.config = config
        self.store = BlobStore(Path(config.store))
        self.peers = config.peers
        self.done = 0
        self.failed = 0
        self.over = asyncio.Event()
        owner = Owner(config.owner, config.owner_since, config.owner_name)
        self.lease = Lease(owner, config.epoch, config.ttl, lambda: self.report("alone"), self.stop)
        self._template = template
        self._clients: dict[str, _Client] = {}
        self._codes: dict[str, bytes] = {}
        self._queue: deque[Running] = deque()
        self._session_queue: deque[Running] = deque()
        self._slots: dict[int, SlotLink] = {}
        self._session_asked = False
        self._slot_since: dict[int, float] = {}
        self._short_lives = 0
        self._meter = Meter(os.getpid())
        self._tasks: set[asyncio.Task[None]] = set()

    # -- what the worker and broadcast actors ask ----------------------------------------------------------------

    def own(self, message: Own) -> Owned:
        """Another kernel, or the same, drives the pool now."""
        before, was_alive = self.lease.owner.name, self.lease.owner.alive
        if not self.lease.take(Owner(message.pid, message.since, message.name), message.epoch):
            return Owned(before)
        client = self._client(message.client)
        if client.held is not None and client.held.epoch < message.epoch:
            self._refuse_exchange(client.held)
            client.held = None
        log = client.log
        return Owned("", before, was_alive, self._tasks_of(message.client), log.acknowledged, SESSION in self._slots)

    def taken(self, epoch: int) -> str:
        """Who has the pool instead of one that knows of this epoch; empty when nobody does."""
        return self.lease.owner.name if epoch < self.lease.epoch else ""

    def exchange(self, asked: Exchange) -> None:
        """Take in an exchange; it is answered now or when there is something to say."""
        if self.taken(asked.epoch):
            self._refuse_exchange(asked)
            return
        client = self._client(asked.client)
        self.acknowledge(asked.client, asked.after)
        for code in asked.codes:
            self.learn(code)
        for task in asked.tasks:
            self.submit(asked.client, task)
        for control in asked.controls:
            self.control(asked.client, control)
        for feed in asked.feeds:
            self._feed(asked.client, feed)
        if client.held is not None:
            self._answer(client)
        client.held = asked
        if client.log.has_after(asked.after):
            self._answer(client)
        else:
            client.timer = asyncio.get_running_loop().call_later(asked.hold, self._answer, client)

    def submit(self, client: str, task: Task) -> None:
        """Queue a task, unless this node has seen it."""
        it = self._client(client)
        known = it.seen
        if task.id in known:
            return
        known[task.id] = (task, time.time()) if it.follower is None else None
        while len(known) > _REMEMBERED:
            del known[next(iter(known))]
        running = Running(client, task)
        if self._client(client).refused.pop(task.id, False):
            self._end(running, Kind.ERROR, self._failed("interrupted"))
            return
        if task.session:
            self._session_queue.append(running)
            self._ask_session()
        else:
            self._queue.append(running)
        self._dispatch()

    async def finished(self, client: str, task: Task) -> Event:
        """The last event of a task that `submit` is given here."""
        future: asyncio.Future[Event] = asyncio.get_running_loop().create_future()
        self._client(client).waiting[task.id] = future
        self.submit(client, task)
        return await future

    def acknowledge(self, client: str, after: int) -> None:
        """A client has the events up to number `after`."""
        it = self._client(client)
        for task in it.log.acknowledge(after):
            if task in it.seen:
                it.seen[task] = None

    def learn(self, code: Code) -> None:
        """Keep a function for the tasks that name it."""
        self._codes.pop(code.digest, None)
        self._codes[code.digest] = code.body
        while len(self._codes) > _CODES:
            del self._codes[next(iter(self._codes))]

    def follow(self, client: str, follower: Follower) -> None:
        """Tell `follower` what becomes of a client's tasks, instead of keeping it for the client."""
        self._client(client).follower = follower

    def know(self, peers: tuple[Peer, ...]) -> None:
        """The nodes of the pool changed."""
        self.peers = peers
        for slot in self._slots.values():
            slot.peers(peers)

    def load(self, meter: Meter | None = None) -> Load:
        """What this node measures of itself now; CPU is since the last reading of `meter`."""
        running = [slot for slot in self._slots.values() if slot.running is not None]
        busy = sum(slot.index != SESSION for slot in running)
        cpu, memory = (meter or self._meter).read({slot.pid for slot in self._slots.values()})
        return Load(cpu, memory, len(running), self.done, busy)

    @property
    def queued(self) -> int:
        """Tasks that wait for a slot."""
        return len(self._queue) + len(self._session_queue)

    @property
    def dropped(self) -> int:
        """Bytes of output that went because a client did not read it."""
        return sum(client.log.lost for client in self._clients.values())

    def stop(self) -> None:
        """End this agent in order."""
        self.over.set()

    # -- tasks ---------------------------------------------------------------------------------------------------

    def _client(self, name: str) -> _Client:
        known = self._clients.get(name)
        if known is None:
            known = self._clients[name] = _Client(RunLog(forget=lambda blob: self.store.drop(blob.name)))
        return known

    def _refuse_exchange(self, asked: Exchange) -> None:
        asked.reply_to.tell(Batch((), self.lease.owner.name))

    def _tasks_of(self, name: str) -> tuple[Known, ...]:
        client = self._client(name)
        ended = client.log.ended()
        running = {
            slot.running.task.id: slot.running.yields
            for slot in self._slots.values()
            if slot.running and slot.running.client == name
        }

        def known(task: Task, since: float) -> Known:
            state = "ended" if task.id in ended else "running" if task.id in running else "waiting"
            streams = task.credit > 0
            had = running.get(task.id, 0) - client.log.yields(task.id) if streams else 0
            return Known(task.id, task.run, task.parts, task.label, task.session, streams, state, since, had)

        return tuple(known(*kept) for kept in client.seen.values() if kept is not None)

    def _dispatch(self) -> None:
        for slot in self._slots.values():
            queue = self._session_queue if slot.index == SESSION else self._queue
            if slot.free and queue:
                self._start(slot, queue.popleft())

    def _start(self, slot: SlotLink, running: Running) -> None:
        code = self._codes.get(running.task.code)
        if code is None:
            self._client(running.client).seen.pop(running.task.id, None)
            self._log(running.client, running.task.id, Kind.CODE, b"")
            return
        slot.run(running, code)
        if (follower := self._client(running.client).follower) is not None:
            follower.began(running.task.id)

    def _heard(self, slot: SlotLink, task: int, kind: Kind, body: bytes) -> None:
        if kind is Kind.CALM:
            self._dispatch()
            return
        running = slot.running
        if running is None or running.task.id != task:
            return
        if not kind.final:
            running.yields += kind is Kind.YIELD
            self._log(running.client, task, kind, body)
            return
        (seconds,) = SECONDS.unpack_from(body)
        slot.ended()
        self._end(running, kind, body[SECONDS.size :], seconds)
        self._dispatch()

    def _end(self, running: Running, kind: Kind, body: bytes, seconds: float = 0.0) -> None:
        running.cancel_timers()
        if kind is Kind.ERROR and running.stopping == "timeout":
            body = self._failed("timeout", {"seconds": running.task.timeout})
        self.done += 1
        self.failed += kind is Kind.ERROR
        self._log(running.client, running.task.id, kind, body, seconds)

    def _failed(self, how: str, facts: dict[str, object] | None = None) -> bytes:
        return pack(Failed(how, facts=facts or {}), self.store.put)

    def _log(self, name: str, task: int, kind: Kind, body: bytes, seconds: float = 0.0) -> None:
        client = self._client(name)
        if client.follower is not None:
            client.follower.heard(task, kind, body, seconds)
            return
        event = client.log.add(task, kind, body, seconds)
        if kind.final and (waiting := client.waiting.pop(task, None)) is not None:
            client.log.handed(event)
            waiting.set_result(event)
        if client.held is None:
            return
        loop = asyncio.get_running_loop()
        if kind >= Kind.YIELD:
            self._answer(client)
        elif client.timer is None or client.timer.when() > loop.time() + _GATHER:
            self._set_timer(client, _GATHER)

    def _set_timer(self, client: _Client, delay: float) -> None:
        if client.timer is not None:
            client.timer.cancel()
        client.timer = asyncio.get_running_loop().call_later(delay, self._answer, client)

    def _answer(self, client: _Client) -> None:
        asked, client.held = client.held, None
        if client.timer is not None:
            client.timer.cancel()
            client.timer = None
        if asked is not None:
            asked.reply_to.tell(client.log.batch())

    def control(self, client: str, control: Control) -> None:
        """Do something to a task."""
        if control.action == "return":
            self._give_back(client, control.task)
            return
        if control.task not in self._client(client).seen and control.action in ("interrupt", "kill"):
            self._refuse(client, control.task)
            return
        for queue in (self._queue, self._session_queue):
            for running in queue:
                if (running.client, running.task.id) == (client, control.task) and control.action != "credit":
                    queue.remove(running)
                    self._end(running, Kind.ERROR, self._failed("interrupted"))
                    return
        for slot in self._slots.values():
            if slot.running is None or (slot.running.client, slot.running.task.id) != (client, control.task):
                continue
            match control.action:
                case "interrupt":
                    slot.interrupt("interrupted")
                case "kill":
                    slot.running.stopping = "interrupted"
                    slot.kill()
                case "credit":
                    slot.credit(control.amount)
                case "close":
                    slot.close_stream()

    def _feed(self, client: str, feed: Feed) -> None:
        """Hand on a piece of a stream; only a task that runs asks for any."""
        for slot in self._slots.values():
            if slot.running is not None and (slot.running.client, slot.running.task.id) == (client, feed.task):
                slot.feed(feed)

    def _give_back(self, name: str, task: int) -> None:
        """Hand a task that has not begun back to its client."""
        for running in self._queue:
            if (running.client, running.task.id) == (name, task):
                self._queue.remove(running)
                self._client(name).seen.pop(task, None)
                self._log(name, task, Kind.BACK, b"")
                return

    def _refuse(self, name: str, task: int) -> None:
        """A task was stopped before it came, as it may when the head hands it on."""
        refused = self._client(name).refused
        refused[task] = True
        while len(refused) > _REMEMBERED:
            del refused[next(iter(refused))]

    # -- slots ---------------------------------------------------------------------------------------------------

    def _ask_session(self) -> None:
        if SESSION not in self._slots and not self._session_asked:
            self._session_asked = True
            self._template.send({"op": "slot", "slot": SESSION, "sockets": 1})

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
                    self._own(self._connect(message, fds))
                case "slot_exited":
                    self._slot_exited(message)
                case "slot_failed":
                    self._session_asked = False
                    self.report("log", text=f"a slot could not be started: {message['why']}")

    def _own(self, work: asyncio.Task[None]) -> None:
        self._tasks.add(work)
        work.add_done_callback(self._tasks.discard)

    def _connect(self, message: Message, fds: tuple[int, ...]) -> asyncio.Task[None]:
        async def work() -> None:
            for link in await connect(message["slot"], message["pid"], fds, self._heard):
                self._slots[link.index] = link
                self._slot_since[link.index] = asyncio.get_running_loop().time()
                if self.peers != self.config.peers:
                    link.peers(self.peers)
            self._session_asked = SESSION in self._slots
            self._dispatch()

        return asyncio.get_running_loop().create_task(work())

    def _slot_exited(self, message: Message) -> None:
        gone = [slot for slot in self._slots.values() if slot.pid == message["pid"]]
        for slot in gone:
            slot.close()
            del self._slots[slot.index]
            if (running := slot.running) is not None:
                how = "killed" if running.stopping == "interrupted" else "died"
                self._end(running, Kind.ERROR, self._failed(how, {"code": message["code"]}))
        if message["slot"] == SESSION:
            self._session_asked = False
            if self._session_queue:
                self._ask_session()
        else:
            self._replace_slot(message["slot"], message["code"])

    def _replace_slot(self, slot: int, code: int) -> None:
        """Ask for another slot: at once, or later and later when it keeps ending as soon as it starts."""
        loop = asyncio.get_running_loop()
        short = loop.time() - self._slot_since.get(slot, 0.0) < _SHORT_LIFE
        self._short_lives = self._short_lives + 1 if short else 0
        delay = 0.0 if self._short_lives <= _SHORT_LIVES else min(10.0, 0.1 * 2 ** (self._short_lives - _SHORT_LIVES))
        if delay:
            self.report("log", text=f"slot {slot} ended right after its start (exit {code}); the next in {delay:g} s")
        sockets = 1 if self.config.executor == "process" else self.config.concurrency + 1
        loop.call_later(delay, self._template.send, {"op": "slot", "slot": slot, "sockets": sockets})

    def report(self, what: str, **facts: object) -> None:
        """Tell whoever launched this agent something."""
        with contextlib.suppress(OSError):
            self._template.send({"op": "report", "what": what, **facts})


async def serve(config: AgentConfig, sock: socket.socket) -> None:
    """Be the agent of `config` until it is stopped, or its owner has been gone for its ttl."""
    agent = Agent(config, Channel(sock))
    actors.host(agent)
    loop = asyncio.get_running_loop()
    loop.add_reader(sock, agent.serve_template)
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, agent.stop)
    agent.lease.start()
    member = loop.create_task(_member(agent))
    await asyncio.wait([member, loop.create_task(agent.over.wait())], return_when=asyncio.FIRST_COMPLETED)
    agent.stop()
    # One that has not joined yet has nothing to leave; leaving in order takes a moment.
    await asyncio.wait([member], timeout=_LEAVE)
    agent.lease.end()
    member.cancel()


async def _member(agent: Agent) -> None:
    async with join(agent.config), listen(agent):
        agent.report("ready")
        await agent.over.wait()


def run_agent(config: AgentConfig, sock: socket.socket) -> None:
    """Be an agent process; does not return.

    What has not left the cluster in its time is not waited for any longer.
    """
    sock.setblocking(True)
    asyncio.new_event_loop().run_until_complete(serve(config, sock))
    os._exit(0)
