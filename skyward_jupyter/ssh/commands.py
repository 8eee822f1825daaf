"""Runs shell commands on a machine, and ends them there when nobody waits for them any more.

A command has a process group of its own there, whose number it reports before it begins. That is what it is ended by,
through a second channel: OpenSSH delivers no signals for root, and lets a process live whose channel is closed. When
the connection has broken, what ran on it is ended as soon as there is a connection again, before anything else is run;
a process that left the group, as a daemon does, is left alone.

What a command starts in the background must not keep its output open, or the command is not over before that is.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import shlex
import signal
from collections import deque
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field

import asyncssh

from skyward_jupyter.errors import CommandFailed, ConnectionLost, MachineError
from skyward_jupyter.ssh.dial import Line, NotYet
from skyward_jupyter.ssh.keeper import PATIENCE, Keeper
from skyward_jupyter.ssh.lines import Lines
from skyward_jupyter.ssh.machine import Completed, OnLine
from skyward_jupyter.ssh.sources import source
from skyward_jupyter.tasks import Tasks, side_by_side

#: How much of a command's standard output is kept (bytes); beyond that, its beginning is dropped.
KEPT = 16 * 1024 * 1024
#: How many lines are kept for people.
LAST = 40
#: How long whoever gives up a command waits until it has ended (seconds); it is ended anyway.
END_WITHIN = 6.0
#: How long a command waits for others to end on a machine that allows no more at once (seconds).
CHANNEL_WITHIN = 60.0
_NO_CHANNEL = (asyncssh.OPEN_CONNECT_FAILED, asyncssh.OPEN_RESOURCE_SHORTAGE)
_CHUNK = 64 * 1024

# The shell that sshd starts is the leader of a group of its own; `exec` keeps it the same process.
_BEGIN = """export SKYWARD_RUN=$1; echo "$1:$$:"; exec sh -c "$2\""""


@dataclass(slots=True)
class _Command:
    """A command from here; its fields are filled in as it begins.

    Attributes
    ----------
    token
        What its processes are known by there.
    asked
        Whether the machine was asked to run it, so that it may be running.
    group
        Its process group, once it has reported it.
    """

    text: str
    token: str = field(repr=False)
    asked: bool = False
    group: str = ""
    process: asyncssh.SSHClientProcess[bytes] | None = None


class Commands:
    """The commands that run on one machine."""

    def __init__(self, name: str, keeper: Keeper) -> None:
        self._name = name
        self._keeper = keeper
        self._tasks = Tasks(f"a command on {name}")
        self._left: set[asyncio.Task[object]] = set()
        self._running: dict[str, tuple[_Command, asyncio.Task[asyncssh.SSHClientProcess[bytes]]]] = {}
        self._over = asyncio.Event()

    async def run(
        self, command: str, *, stdin: bytes = b"", timeout: float | None = None, on_line: OnLine | None = None
    ) -> Completed:
        """Run a command; see `skyward_jupyter.ssh.machine.Machine.run`."""
        called = _Command(command, secrets.token_hex(8))
        if self._over.is_set():
            raise self._closed()
        async with asyncio.timeout(timeout):
            await self._keeper.line()
            if self._left:
                await asyncio.wait(self._left, timeout=PATIENCE)
            # Begun by a task of ours, so that a command whose number is not known yet can be given up, too.
            begun = self._running[called.token] = called, self._own(self._begin(called))
            try:
                done = await self._followed(await asyncio.shield(begun[1]), stdin, on_line)
                if self._over.is_set():
                    raise self._closed()
                return done
            except BaseException as error:
                if self._over.is_set() and begun[1].cancelled() and not _is_given_up():
                    raise self._closed() from error
                ending = self._own(self._end(*begun))
                await asyncio.wait([ending], timeout=END_WITHIN if self._keeper.up else 0)
                if not ending.done():
                    self._left.add(ending)
                    ending.add_done_callback(self._left.discard)
                raise
            finally:
                del self._running[called.token]

    async def tell(self, command: str, *, timeout: float) -> None:
        """Run a short command for what it does; see `skyward_jupyter.ssh.machine.Machine.tell`."""
        async with asyncio.timeout(timeout):
            try:
                await self._said(await self._keeper.line(), "exec " + shlex.join(["sh", "-c", command]))
            except (asyncssh.Error, OSError, NotYet) as error:
                raise ConnectionLost(self._name, f"{self._name} could not be told ({error})") from error

    async def close(self) -> None:
        """End what runs, and give up what cannot be ended in time."""
        self._over.set()
        endings = [self._own(self._end(*begun)) for begun in self._running.values()]
        if endings and self._keeper.up:
            await asyncio.wait(endings, timeout=END_WITHIN)
        await self._tasks.close()

    def _own[T](self, work: Coroutine[object, object, T]) -> asyncio.Task[T]:
        # What went wrong is raised to whoever waits; when nobody does any more, nobody needs it.
        return self._tasks.promise(work)

    async def _begin(self, called: _Command) -> asyncssh.SSHClientProcess[bytes]:
        """Start a command, and learn its process group."""
        try:
            called.process = process = await self._opened(called)
            called.asked = True
            # What the files of a login shell print comes before it.
            await process.stdout.readuntil(f"{called.token}:".encode())
            called.group = (await process.stdout.readuntil(b":\n"))[:-2].decode()
        except asyncio.IncompleteReadError as error:
            await process.wait_closed()
            if process.returncode is None:
                raise self._lost("it closed the channel") from error
            told = (await process.stderr.read()).decode(errors="replace").strip().splitlines()[-5:]
            raise CommandFailed(self._name, "the login shell", process.returncode, tuple(told)) from error
        except (asyncssh.Error, OSError) as error:
            called.asked = True
            raise self._lost(str(error)) from error
        return process

    async def _opened(self, called: _Command) -> asyncssh.SSHClientProcess[bytes]:
        """Ask for it until there is a channel: a break passes, and so does a machine's limit of channels at once."""
        shell = "exec " + shlex.join(["sh", "-c", _BEGIN, "sh", called.token, called.text])
        give_up = asyncio.get_running_loop().time() + CHANNEL_WITHIN
        while True:
            line = await self._keeper.line()
            try:
                return await line.ssh.create_process(shell, encoding=None, stdin=asyncssh.PIPE)
            except asyncssh.ChannelOpenError as error:
                if error.code not in _NO_CHANNEL:
                    raise
                if asyncio.get_running_loop().time() > give_up:
                    raise CommandFailed(
                        self._name, "the login", 1, (f"{error.reason}: its sshd allows no more (see MaxSessions)",)
                    ) from error
            await asyncio.sleep(0.1)

    async def _followed(
        self, process: asyncssh.SSHClientProcess[bytes], stdin: bytes, on_line: OnLine | None
    ) -> Completed:
        """Give a command its input, and follow its output to its end."""
        last: deque[str] = deque(maxlen=LAST)
        kept = _Kept()

        def heard(stream: str, text: str) -> None:
            last.append(text)
            if on_line is not None:
                on_line(stream, text)

        try:
            await side_by_side(
                (
                    lambda: _fed(process.stdin, stdin),
                    lambda: _read(process.stdout, lambda text: heard("stdout", text), kept.add),
                    lambda: _read(process.stderr, lambda text: heard("stderr", text)),
                )
            )
            await process.wait_closed()
        except ExceptionGroup as errors:
            error = errors.exceptions[0]
            if isinstance(error, asyncssh.Error | OSError):
                raise self._lost(str(error)) from error
            raise error from None
        if process.exit_signal:
            return Completed(-_number(process.exit_signal[0]), kept.text(), tuple(last))
        if process.exit_status is None:
            raise self._lost("it closed the channel")
        return Completed(process.exit_status, kept.text(), tuple(last))

    async def _end(self, called: _Command, begun: asyncio.Task[asyncssh.SSHClientProcess[bytes]]) -> None:
        """End a command that nobody waits for any more, with its whole group."""
        await asyncio.wait([begun])
        if not called.asked or (called.process is not None and called.process.returncode is not None):
            return
        text = f'{source("end.sh")}\nend_group "$1" "$2"'
        shell = "exec " + shlex.join(["sh", "-c", text, "sh", called.group, called.token])
        while self._keeper.state not in ("failed", "closed"):
            try:
                await self._said(await self._keeper.line(patience=None), shell)
                break
            except (asyncssh.Error, OSError, MachineError, NotYet):
                # Broken again: the next connection, or its refusal, is waited for.
                await asyncio.sleep(0.1)
        if called.process is not None:
            called.process.close()

    async def _said(self, line: Line, shell: str) -> None:
        """Run what takes no time; over a connection of its own where this one has no channel left for that."""
        try:
            await line.ssh.run(shell, stdin=asyncssh.DEVNULL, stdout=asyncssh.DEVNULL)
        except asyncssh.ChannelOpenError as error:
            if error.code not in _NO_CHANNEL or self._keeper.up is not line:
                raise
            spare = await self._keeper.another()
            try:
                await spare.ssh.run(shell, stdin=asyncssh.DEVNULL, stdout=asyncssh.DEVNULL)
            finally:
                spare.abort()

    def _closed(self) -> ConnectionLost:
        return ConnectionLost(self._name, f"the connection to {self._name} is closed")

    def _lost(self, why: str) -> ConnectionLost:
        why = self._keeper.why if self._keeper.state == "lost" else why
        return ConnectionLost(
            self._name, f"the connection to {self._name} broke while a command ran on it ({why}); it is ended there"
        )


def _is_given_up() -> bool:
    """Whether the task that runs was cancelled, rather than one that it waits for."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


async def _fed(writer: asyncssh.SSHWriter[bytes], stdin: bytes) -> None:
    """Write a command's input; one that does not read it to its end is free to."""
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        for start in range(0, len(stdin), _CHUNK):
            writer.write(stdin[start : start + _CHUNK])
            await writer.drain()
        writer.write_eof()


async def _read(
    reader: asyncssh.SSHReader[bytes], heard: Callable[[str], None], keep: Callable[[bytes], None] | None = None
) -> None:
    lines = Lines()
    while data := await reader.read(_CHUNK):
        if keep is not None:
            keep(data)
        for line in lines.feed(data):
            heard(line)
    for line in lines.end():
        heard(line)


class _Kept:
    """The end of what a command wrote: as much as is kept."""

    def __init__(self) -> None:
        self._parts: deque[bytes] = deque()
        self._size = 0

    def add(self, data: bytes) -> None:
        self._parts.append(data)
        self._size += len(data)
        while self._size - len(self._parts[0]) > KEPT:
            self._size -= len(self._parts.popleft())

    def text(self) -> str:
        return b"".join(self._parts)[-KEPT:].decode(errors="replace")


def _number(name: str) -> int:
    """The number of a signal, as it is named on the wire: without SIG."""
    found = getattr(signal, f"SIG{name}", None)
    return int(found) if found is not None else 1
