"""The slots of a node: asked of the template, connected, and replaced when they end."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable, Iterator

from skyward_jupyter.agent.channel import Message
from skyward_jupyter.agent.config import AgentConfig, Peer
from skyward_jupyter.agent.slots import Heard, Running, Said, SlotLink, connect
from skyward_jupyter.agent.successors import Successors
from skyward_jupyter.tasks import Tasks
from skyward_jupyter.wire.messages import Code, Task

#: The slot index of the session.
SESSION = -1
#: A slot that ends sooner than this after its start (seconds) may never have worked; so many are replaced at once.
_SHORT_LIFE = 1.0
_SHORT_LIVES = 20
#: How long a question may wait for its answer (seconds).
_ANSWER_WITHIN = 1.0
#: How long another session may take to be there (seconds).
_SESSION_WITHIN = 15.0


class Crew:
    """The slots of one node.

    Parameters
    ----------
    config
        The node's.
    send
        Takes a message for the template.
    heard
        Called with what a slot says of its task.
    said
        Called with text that code of a slot's task wrote past Python.
    free
        Called when a slot may have become free.
    died
        Called with a task whose slot's process ended, and its exit code.
    lacks
        Called with how many slots there are and what keeps the others from starting, whenever that changes.
    log
        Takes a sentence for the node's own log.
    """

    def __init__(
        self,
        config: AgentConfig,
        send: Callable[[Message], None],
        heard: Heard,
        said: Said,
        free: Callable[[], None],
        died: Callable[[Running, int], None],
        lacks: Callable[[int, str], None],
        log: Callable[[str], None],
    ) -> None:
        self._config = config
        self._send = send
        self._heard = heard
        self._said = said
        self._free = free
        self._died = died
        self._lacks = lacks
        self._log = log
        self._peers = config.peers
        self._successors = Successors(send, SESSION)
        self._gone: set[int] = set()
        self._slots: dict[int, SlotLink] = {}
        self._since: dict[int, float] = {}
        self._session_asked = False
        self._question = 0
        self._asked: tuple[int, asyncio.Future[bytes]] | None = None
        self._awaiting_session: list[asyncio.Future[None]] = []
        self._short_lives = 0
        self._lacking: dict[int, str] = {}
        self._said_lacking = (config.concurrency, "")
        self._starting = Tasks(f"connecting a slot of node {config.rank}")

    def __iter__(self) -> Iterator[SlotLink]:
        return iter(self._slots.values())

    @property
    def has_session(self) -> bool:
        """Whether there is a session, with the names of the cells that ran in it."""
        return SESSION in self._slots

    @property
    def running(self) -> Iterator[tuple[SlotLink, Running]]:
        """The slots that run a task, with it."""
        return ((slot, slot.running) for slot in self._slots.values() if slot.running is not None)

    def of(self, client: str, task: int) -> SlotLink | None:
        """The slot that runs a client's task."""
        found = (slot for slot, running in self.running if (running.client, running.task.id) == (client, task))
        return next(found, None)

    def know(self, peers: tuple[Peer, ...]) -> None:
        """The nodes of the pool changed."""
        self._peers = peers
        for slot in self._slots.values():
            slot.peers(peers)

    def ask_session(self) -> None:
        """There is to be a session."""
        if SESSION not in self._slots and not self._session_asked:
            self._session_asked = True
            self._send({"op": "slot", "slot": SESSION, "sockets": 1})

    async def consult(self, question: bytes) -> bytes:
        """What the session answers, beside the cell that it may run; nothing where there is none, or no answer soon."""
        session = self._slots.get(SESSION)
        if session is None or not session.alive or session.retired or self._asked is not None:
            return b""
        self._question += 1
        asked = self._asked = self._question, asyncio.get_running_loop().create_future()
        session.ask(asked[0], question)
        try:
            return await asyncio.wait_for(asked[1], _ANSWER_WITHIN)
        except TimeoutError:
            return b""

    def answered(self, number: int, answer: bytes) -> None:
        """The session has answered a question; it may be asked another."""
        if self._asked is not None and self._asked[0] == number:
            if not self._asked[1].done():
                self._asked[1].set_result(answer)
            self._asked = None

    async def renew_session(self) -> None:
        """End the session, with what it runs, and wait until there is another; raises TimeoutError if there is none."""
        there: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._awaiting_session.append(there)
        if SESSION in self._slots:
            self._slots[SESSION].retired = True  # nothing that comes now begins in it
            self._slots[SESSION].kill()
        else:
            self.ask_session()
        await asyncio.wait_for(there, _SESSION_WITHIN)

    def began(self, message: Message, fds: tuple[int, ...]) -> None:
        """The template started a slot's process."""
        *sockets, out, err, page = fds
        pid = message["pid"]
        # One that cannot be connected is ended, and replaced as any other.
        self._successors.await_for(message["awaited"])
        self._starting.start(
            self.connect(message["slot"], pid, tuple(sockets), (out, err, page), message["stock"]),
            lambda _: os.kill(pid, signal.SIGKILL),
        )

    def stocked(self, message: Message) -> None:
        """Have slots that have run nothing be replaced by ones that are born with more."""
        self._successors.learn(message, self)
        self._free()

    def waits(self, slot: SlotLink, task: Task, code: bytes, project: Code) -> bool:
        """Return whether a task is to wait for what takes the place of a slot that could run it now."""
        return self._successors.waits(slot, task, code, project)

    def failed(self, slot: int, why: str) -> None:
        """The template could not start one, and tries it again."""
        if (link := self._slots.get(slot)) is not None:
            self._successors.failed(link.pid)
            self._free()
            return
        self._lacking[slot] = why
        self._say_lacking()

    def _say_lacking(self) -> None:
        """Say what keeps slots from starting, or that nothing does any more."""
        there = sum(index != SESSION for index in self._slots)
        now = (there, _sentence(self._lacking)) if self._lacking else (self._config.concurrency, "")
        if now != self._said_lacking:
            self._said_lacking = now
            self._lacks(*now)

    def ended(self, slot: int, pid: int, code: int) -> None:
        """A slot's process ended; another takes its place, but for the session, which is asked for when needed."""
        links = self._of_process(pid)
        self._let_go(links)
        for link in links:
            del self._slots[link.index]
            if link.running is not None:
                self._died(link.running, code)
        if self._successors.was_dismissed(pid):
            return
        if not links:
            self._gone.add(pid)
        if slot in self._slots:  # it was to follow one that stays then
            self._successors.failed(self._slots[slot].pid)
            self._free()
            return
        if self._lacking:
            self._say_lacking()
        if slot == SESSION:
            self._session_asked = False
            if self._asked is not None:
                self.answered(self._asked[0], b"")
            if self._awaiting_session:
                self.ask_session()
        else:
            self._replace(slot, code, any(link.retired for link in links))

    async def connect(
        self, index: int, pid: int, fds: tuple[int, ...], ends: tuple[int, int, int], stock: int = 0
    ) -> None:
        """Have the slots of a process, at the other ends of `fds`, with its pipes."""
        links = await connect(index, pid, fds, self._heard, ends, self._said, stock)
        if not self._has_room(links):
            self._let_go(links)
            self._free()  # what has waited for it
            return
        for link in links:
            self._slots[link.index] = link
            self._since[link.index] = asyncio.get_running_loop().time()
            if self._peers != self._config.peers:
                link.peers(self._peers)
        self._successors.ask(links)
        if index == SESSION:
            for there in self._awaiting_session:
                if not there.done():
                    there.set_result(None)
            self._awaiting_session.clear()
        self._lacking.pop(index, None)
        self._session_asked = SESSION in self._slots or SESSION in self._lacking
        self._say_lacking()
        self._free()

    def _has_room(self, links: list[SlotLink]) -> bool:
        """Return whether slots that have just started are wanted, and end those whose place they take."""
        pid = links[0].pid
        if pid in self._gone:
            self._gone.discard(pid)
            return False
        former = [self._slots[link.index] for link in links if link.index in self._slots]
        wanted = not former or self._successors.may_follow(links[0], former)
        if former:
            leaving = former if wanted else links
            self._successors.dismiss(leaving[0].pid)
            leaving[0].kill()
        if wanted:
            self._let_go(former)
        return wanted

    def _of_process(self, pid: int) -> list[SlotLink]:
        return [link for link in self._slots.values() if link.pid == pid]

    @staticmethod
    def _let_go(links: list[SlotLink]) -> None:
        """Drop the connections to a process and its pipes."""
        if links and (piped := links[0].piped) is not None:
            piped.end()
            piped.close()
        for link in links:
            link.close()

    def _replace(self, slot: int, code: int, retired: bool) -> None:
        """Ask for another slot: at once, or later and later when it keeps ending as soon as it starts."""
        loop = asyncio.get_running_loop()
        short = not retired and loop.time() - self._since.get(slot, 0.0) < _SHORT_LIFE
        self._short_lives = self._short_lives + 1 if short else 0
        delay = 0.0 if self._short_lives <= _SHORT_LIVES else min(10.0, 0.1 * 2 ** (self._short_lives - _SHORT_LIVES))
        if delay:
            self._log(f"slot {slot} ended right after its start (exit {code}); the next in {delay:g} s")
            self.failed(slot, f"it ends as soon as it starts (exit {code})")
        sockets = 1 if self._config.executor == "process" else self._config.concurrency + 1
        loop.call_later(delay, self._send, {"op": "slot", "slot": slot, "sockets": sockets})


def _sentence(lacking: dict[int, str]) -> str:
    """What keeps which slots from starting, as a part of a sentence about the node."""
    slots = [str(slot) for slot in sorted(lacking) if slot != SESSION]
    which = ["its session"] if SESSION in lacking else []
    if slots:
        which.append(f"slot{'s' * (len(slots) > 1)} {', '.join(slots)}")
    return f"cannot start {' and '.join(which)}: {next(reversed(lacking.values()))}; it is tried again"
