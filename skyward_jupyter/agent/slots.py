"""The agent's side of its slots: a connection to each, the task it runs, and the ways to stop that task."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import pickle
import signal
import socket
import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import astuple, dataclass, field

from skyward_jupyter.agent.config import Peer
from skyward_jupyter.agent.endings import SLOT_WITHIN
from skyward_jupyter.agent.frames import COUNT, CREDIT, SECONDS, Order, Parser, frame
from skyward_jupyter.agent.piped import Piped
from skyward_jupyter.agent.pipes import MARK
from skyward_jupyter.agent.slot import CODES
from skyward_jupyter.wire.events import Kind
from skyward_jupyter.wire.messages import Code, Feed, Task

#: Seconds between an interrupt and the end of a slot that ignores it.
GRACE = 5.0
#: How many tasks a slot's agent remembers whose threads and children may still write.
PAST = 100

#: What a slot sends, and how long the body of some of it is, at least or exactly.
_SENT: frozenset[int] = frozenset(Kind) - {Kind.CODE, Kind.BACK, Kind.DROPPED}
_SIZES: dict[int, tuple[int, bool]] = {
    Kind.MARK: (MARK.size, True),
    Kind.YIELDS: (COUNT.size, False),
    Kind.VALUE: (SECONDS.size, False),
    Kind.ERROR: (SECONDS.size, False),
}
log = logging.getLogger("skyward")

type Heard = Callable[["SlotLink", int, Kind, bytes], None]
type Said = Callable[["SlotLink", str, str], None]


@dataclass(slots=True)
class Running:
    """A task on a slot: who asked for it, why it is being stopped, if it is, and where its streams are."""

    client: str
    task: Task
    stopping: str = ""
    began: float = 0.0
    timer: asyncio.TimerHandle | None = None
    deadline: asyncio.TimerHandle | None = None
    credit: int = 0
    yields: int = 0
    next_feed: dict[int, int] = field(default_factory=dict)
    early: dict[tuple[int, int], Feed] = field(default_factory=dict)

    def in_order(self, feed: Feed) -> Iterator[Feed]:
        """The pieces of a stream that are next, now that `feed` has come; each once."""
        number = self.next_feed.get(feed.stream, 0)
        if feed.number >= number:
            self.early[feed.stream, feed.number] = feed
        while (ready := self.early.pop((feed.stream, number), None)) is not None:
            number += 1
            yield ready
        self.next_feed[feed.stream] = number

    def cancel_timers(self) -> None:
        """Its end came by itself."""
        for timer in (self.timer, self.deadline):
            if timer is not None:
                timer.cancel()


class SlotLink(asyncio.Protocol):
    """The connection to one slot."""

    def __init__(self, index: int, pid: int, thread: int | None, heard: Heard, stock: int = 0) -> None:
        self.index = index
        self.pid = pid
        self.stock = stock
        self.running: Running | None = None
        self._past: OrderedDict[int, Running] = OrderedDict()
        self.alive = True
        self._calm = True
        self._thread = thread
        self._heard = heard
        self._parser = Parser()
        self._transport: asyncio.Transport | None = None
        self._codes: OrderedDict[str, None] = OrderedDict()
        self._worn: Counter[str] = Counter()
        self.retired = False
        self._project = ""
        self._killing: asyncio.TimerHandle | None = None
        self.control: socket.socket | None = None
        self.piped: Piped | None = None

    @property
    def free(self) -> bool:
        """Whether it can be given a task."""
        return self.alive and not self.retired and self.running is None and self._calm

    @property
    def untouched(self) -> bool:
        """Whether it has run no task."""
        return self.alive and not self.retired and self.running is None and not self._past

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """asyncio's callback."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """asyncio's callback."""
        for number, task, body in self._parser.feed(data):
            if (kind := _kind_of(number, body)) is None:
                log.error("slot %d sent what is no frame of a slot (kind %d); its process is ended", self.index, number)
                self.kill()
                return
            if kind is Kind.MARK:
                if self.piped is not None:
                    self.piped.reach(MARK.unpack(body))
                continue
            if kind is Kind.CALM:
                self._calm = True
            elif kind.final and self.piped is not None:
                self.piped.drain()
            self._heard(self, task, kind, body)

    def ended(self) -> None:
        """Its task has ended. The next one waits until no signal sent to this one can be on its way any more."""
        if self.running is not None and self.running.stopping and self._thread is None:
            self._calm = False
            self._send(Order.CALM, 0)
        if self.running is not None:
            self._past[self.running.task.id] = self.running
            while len(self._past) > PAST:
                self._past.popitem(last=False)
        self.running = None

    def past(self, task: int | None = None) -> Running | None:
        """A task that has ended here, the last one when None is named."""
        return self._past.get(task) if task is not None else next(reversed(self._past.values()), None)

    def run(self, running: Running, code: bytes, project: Code) -> None:
        """Send a task, and the user's project if the slot knows another; the slot must be free."""
        if self.piped is not None:
            self.piped.drain()  # what is still there is not this task's
        if project.digest != self._project:
            self._project = project.digest
            self._send(Order.PROJECT, 0, project.body)
        task = running.task
        self.running = running
        running.began = time.monotonic()
        running.credit = task.credit
        known = task.code in self._codes
        self._codes[task.code] = None
        self._codes.move_to_end(task.code)
        while len(self._codes) > CODES:
            self._codes.popitem(last=False)
        sent = time.monotonic()
        code_or_none = None if known else code
        given = (task.code, code_or_none, task.args, task.credit, task.flags, sent, task.streams, task.session)
        body = pickle.dumps(given, 5)
        self._send(Order.RUN, task.id, body)
        if task.timeout:
            loop = asyncio.get_running_loop()
            running.deadline = loop.call_later(task.timeout, self.interrupt, "timeout")

    def peers(self, peers: tuple[Peer, ...]) -> None:
        """Tell the slot which nodes the pool has now."""
        self._send(Order.PEERS, 0, pickle.dumps([astuple(peer) for peer in peers]))

    def ask(self, number: int, question: bytes) -> None:
        """Send the session a question, which it answers between two tasks."""
        self._send(Order.ASK, number, question)

    def wears(self, task: Task) -> bool:
        """Whether the task that has ended was the last that whose it is wants to have run in this process."""
        if not task.most:
            return False
        self._worn[task.owner] += 1
        return self._worn[task.owner] >= task.most

    def retire(self) -> None:
        """Have its process end, within seconds; it is given nothing more."""
        self.retired = True
        self._killing = asyncio.get_running_loop().call_later(SLOT_WITHIN, self.kill)
        if self._transport is not None:
            self._transport.close()

    def credit(self, total: int, read: int) -> None:
        """Let the running generator yield so much in all, of which so much was read.

        Told twice, as after a break of the link, it counts once.
        """
        running = self.running
        if running is not None and (more := total - running.credit) > 0:
            running.credit = total
            self._send(Order.CREDIT, running.task.id, CREDIT.pack(more, read))

    def feed(self, feed: Feed) -> None:
        """Hand the running task more of a stream; what was handed over before is not again."""
        if self.running is not None:
            for piece in self.running.in_order(feed):
                self._send(Order.FEED, piece.task, pickle.dumps(piece, 5))

    def close_stream(self) -> None:
        """Nobody reads the running generator any more."""
        if self.running is not None:
            self._send(Order.CLOSE, self.running.task.id)

    def interrupt(self, why: str) -> None:
        """Raise KeyboardInterrupt in the running task; after `GRACE` seconds, kill the slot."""
        running = self.running
        if running is None or running.stopping:
            return
        running.stopping = why
        running.timer = asyncio.get_running_loop().call_later(GRACE, self.kill)
        if why == "timeout" and running.task.credit:
            self.close_stream()  # a generator that goes on after the interrupt is not asked for more
        if self._thread is not None and self.control is not None:
            self.control.sendall(frame(Order.INTERRUPT, running.task.id, self._thread.to_bytes(4, "little")))
        else:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGINT)

    def kill(self) -> None:
        """End the slot's process at once; whoever launched it ends what it has started."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)

    def coming(self) -> list[int]:
        """The descriptor that what the slot sends comes by, while there is one."""
        sock = self._transport.get_extra_info("socket") if self._transport is not None and self.alive else None
        return [sock.fileno()] if sock is not None and sock.fileno() >= 0 else []

    def close(self) -> None:
        """Drop the connection."""
        self.alive = False
        if self._killing is not None:
            self._killing.cancel()
        if self._transport is not None:
            self._transport.close()
        if self.control is not None:
            self.control.close()

    def _send(self, kind: Order, task: int, body: bytes = b"") -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(frame(kind, task, body))


def _kind_of(number: int, body: bytes) -> Kind | None:
    """What a frame is; None where it is not one that a slot sends."""
    size, exact = _SIZES.get(number, (0, False))
    if number not in _SENT or len(body) < size or (exact and len(body) > size):
        return None
    return Kind(number)


async def connect(
    index: int, pid: int, fds: tuple[int, ...], heard: Heard, ends: tuple[int, int, int], said: Said, stock: int = 0
) -> list[SlotLink]:
    """The links to a slot process: one, or one per thread when the last descriptor is for control.

    `ends` are what its pipes are read by; `said` takes what comes by them, with the slot it may be of. `stock` is the
    process id of the preloader that it was forked from; 0 for none.
    """
    loop = asyncio.get_running_loop()
    sockets = [socket.socket(fileno=fd) for fd in fds]
    threads = len(sockets) > 1
    links: list[SlotLink] = []
    for number, sock in enumerate(sockets[:-1] if threads else sockets):
        link = SlotLink(index + number, pid, number if threads else None, heard, stock)
        sock.setblocking(False)
        await loop.create_unix_connection(lambda link=link: link, sock=sock)  # type: ignore[misc]
        links.append(link)
    if threads:
        links[0].control = sockets[-1]
        for link in links[1:]:
            link.control = sockets[-1].dup()

    def told(stream: str, text: str) -> None:
        """Of the slots that share a process nobody can tell which it was."""
        said(next((link for link in links if link.running is not None), links[0]), stream, text)

    piped = Piped(ends, lambda: [fd for link in links for fd in link.coming()], told)
    for link in links:
        link.piped = piped
    return links
