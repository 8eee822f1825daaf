"""The kernel's connections to templates: to its own, which is started once and shared by its pools, and to those of
kernels that ended, one for each pool that was taken over.

A template that does not read, as one that starts a hundred nodes on a busy machine, holds up nobody: what it is told
waits here, in order. Only the end of this process waits for it, for a moment.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import os
import select
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from skyward_jupyter.agent.channel import Channel, Message, short
from skyward_jupyter.agent.config import AgentConfig
from skyward_jupyter.agent.controls import DOOR, Control
from skyward_jupyter.runtime.bridge import runtime
from skyward_jupyter.runtime.forks import forget_in_child
from skyward_jupyter.runtime.restarts import restarting

type Heard = Callable[[Message], None]

#: How long a template may take to answer who has a pool (seconds); it does nothing else that takes long.
ANSWER_WITHIN = 10.0
#: How long a template may take to read what it was told, and then to end, when this process ends (seconds).
END_WITHIN = 2.0

_launcher: Launcher | None = None


class Link:
    """A connection to a template.

    Attributes
    ----------
    alive
        Whether the template is there.
    """

    def __init__(self, sock: socket.socket, loop: asyncio.AbstractEventLoop) -> None:
        self._channel = Channel(sock)
        self._control = Control(self._channel)
        # The end of this process is told by its main thread, whatever the loop does meanwhile.
        self._sending = threading.Lock()
        self._heard: dict[str, Heard] = {}
        self._loop = loop
        self._lent = False
        self.alive = True
        loop.add_reader(sock, self._read)

    def listen(self, pool: str, heard: Heard) -> None:
        """Hand what concerns the pool of this key to `heard`."""
        self._heard[pool] = heard

    def forget(self, pool: str) -> None:
        """Nobody listens for `pool` any more; it was the only one."""
        self._heard.pop(pool, None)
        self.drop()

    def send(self, message: Message) -> None:
        """Tell the template something, from any thread; when it is gone, every pool hears that its nodes are."""
        with self._sending:
            self._control.tell(message)
        if self._flush():
            with contextlib.suppress(RuntimeError):  # the loop is closed: this process ends
                self._loop.call_soon_threadsafe(self._flush_later)

    def drop(self) -> None:
        """Close the connection, once what was sent is read; nothing more is heard."""
        if not self.alive:
            return
        self.alive = False
        with contextlib.suppress(RuntimeError):
            self._loop.remove_reader(self._channel.sock)
        self._write()

    def _flush(self) -> bool:
        """Send what the template has room for; returns whether something is left."""
        with self._sending:
            return self._channel.fileno() >= 0 and self._control.flush()

    def _flush_later(self) -> None:
        """Send the rest as the template reads."""
        if self._channel.fileno() >= 0:
            self._loop.add_writer(self._channel.sock, self._write)

    def _write(self) -> None:
        if self._flush():
            return
        with contextlib.suppress(RuntimeError):
            self._loop.remove_writer(self._channel.sock)
        if not self.alive:
            self._channel.close()

    def _flush_now(self, within: float) -> None:
        """Wait until everything is sent, but not for long."""
        until = time.monotonic() + within
        while self._flush() and (left := until - time.monotonic()) > 0:
            select.select([], [self._channel.sock], [], left)

    def _read(self) -> None:
        received = self._channel.receive()
        if received is None:
            self._gone()
            return
        for message, _ in received:
            self._lent = self._lent or message["op"] == "taken"
            heard = self._heard.get(message.get("pool", ""))
            if heard is not None:
                heard(message)

    def _gone(self) -> None:
        self.drop()
        why = self._why()
        for heard in list(self._heard.values()):
            heard({"op": "template_gone", "why": why})

    def _why(self) -> str:
        return "its connection was closed"


class Launcher(Link):
    """The template process of this kernel.

    Attributes
    ----------
    pid
        Of the template.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        ours, theirs = socket.socketpair()
        super().__init__(ours, loop)
        log, self._log = tempfile.mkstemp(prefix="skyward-", suffix=".log")
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "skyward_jupyter.agent.template", str(theirs.fileno()), self._log],
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=log,
            env={
                **os.environ,
                "PYTHONPATH": os.pathsep.join(filter(None, map(str, sys.path))),
            },
            start_new_session=True,
        )
        theirs.close()
        os.close(log)
        self.pid = self._process.pid

    def close(self) -> None:
        """End the template and everything it started; in a restart of the kernel it goes on for as long as they do."""
        if self.alive and not restarting():
            self.send({"op": "end"})
            self._flush_now(END_WITHIN)
            self.drop()
            # One that works for another kernel too goes on, and removes its log itself.
            if not self._lent:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self._process.wait(END_WITHIN)

    def forget(self, pool: str) -> None:
        """Nobody listens for `pool` any more."""
        self._heard.pop(pool, None)

    def _why(self) -> str:
        global _launcher
        if _launcher is self:
            _launcher = None
        self._process.wait()
        Path(self._log).unlink(missing_ok=True)
        return f"exit status {self._process.returncode}"


def _forget() -> object:
    """A forked child has no template yet, and says nothing to its parent's at its end."""
    global _launcher
    left, _launcher = _launcher, None
    if left is not None:
        left.alive = False
    return left


forget_in_child(_forget)


def launcher() -> Launcher:
    """The template of this process, started when there is none. Call it on the runtime's loop."""
    global _launcher
    if _launcher is None or not _launcher.alive:
        _launcher = Launcher(runtime().loop)
        atexit.register(_launcher.close)
    return _launcher


@dataclass(frozen=True, slots=True)
class Agent:
    """An agent that another kernel started: its rank, its process id, and what it has reported."""

    rank: int
    pid: int
    reports: tuple[Message, ...]

    @property
    def ready(self) -> bool:
        """Whether it has joined the others."""
        return any(report["what"] == "ready" for report in self.reports)


@dataclass(frozen=True, slots=True)
class Taken:
    """A pool of another kernel's template.

    Attributes
    ----------
    config
        Of the node that was started last.
    agents
        Those that run.
    early
        What was heard since.
    """

    link: Link
    config: AgentConfig
    agents: tuple[Agent, ...]
    early: list[Message]


async def take(pool: str, store: str, epoch: int, by: str) -> Taken | None:
    """Have the pool of this key from now on.

    None when the template or the pool is gone, or somebody had it in this epoch already.
    """
    loop = asyncio.get_running_loop()
    sock = socket.socket(socket.AF_UNIX)
    try:
        with short(f"{store}/{DOOR}") as path:
            sock.connect(path)
    except OSError:
        sock.close()
        return None
    link = Link(sock, loop)
    answer: asyncio.Future[Message] = loop.create_future()
    early: list[Message] = []
    link.listen(pool, lambda message: early.append(message) if answer.done() else answer.set_result(message))
    link.send({"op": "take", "pool": pool, "epoch": epoch, "by": by})
    try:
        message = await asyncio.wait_for(answer, ANSWER_WITHIN)
    except BaseException:
        link.drop()
        raise
    if message["op"] != "yours":
        link.drop()
        return None
    agents = tuple(Agent(agent["rank"], agent["pid"], tuple(agent["reports"])) for agent in message["agents"])
    return Taken(link, AgentConfig.from_json(message["config"]), agents, early)
