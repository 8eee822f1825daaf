"""A node's part in importing modules of the user's project that its machine has not.

A slot that imports one asks here, at a door of its own. What the machine lacks is asked of the kernel, once for all
slots; its files go into one directory per pool and machine, each content once. Before a kernel answers, also while
there is none, an import waits; interrupting the code ends the wait.
"""

from __future__ import annotations

import asyncio
import errno
import os
import pickle
import re
import socket
import struct
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import lz4.frame

from skyward_jupyter.agent.channel import bound, short
from skyward_jupyter.agent.config import AgentConfig
from skyward_jupyter.wire.blobs import BlobStore
from skyward_jupyter.wire.messages import AwaitNeeds, Code, GiveUnit
from skyward_jupyter.wire.project import Project, Unit

#: What files of modules are called below their directory, and their contents.
_PATH, _DIGEST = re.compile(r"[^/\0][^\0]*"), re.compile(r"[0-9a-f-]{1,64}")
_LENGTH = struct.Struct("<I")
#: Times of change that files get here, by their content: another content has another time, so that Python compiles it.
_FIRST_TIME = 10**9


@dataclass(frozen=True, slots=True)
class Answer:
    """What a slot is told of a module.

    Attributes
    ----------
    roots
        The directories to import it from, each with what it is called at the kernel.
    digest
        Of its files.
    why
        Why there are none; empty otherwise.
    """

    roots: tuple[tuple[str, str], ...] = ()
    digest: str = ""
    why: str = ""


def door(config: AgentConfig) -> str:
    """Return the path of the socket at which a node's processes ask for modules."""
    return f"{os.path.dirname(config.store)}/{config.rank}.modules"


def ask(config: AgentConfig, name: str) -> Answer:
    """Ask the agent of this node for a top-level module, and wait; called in a slot."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        with short(door(config)) as path:
            sock.connect(path)
        body = name.encode()
        sock.sendall(_LENGTH.pack(len(body)) + body)
        (length,) = _LENGTH.unpack(_received(sock, _LENGTH.size))
        answer: Answer = pickle.loads(_received(sock, length))
        return answer


def _received(sock: socket.socket, length: int) -> bytes:
    data = bytearray()
    while len(data) < length:
        piece = sock.recv(length - len(data))
        if not piece:
            raise ConnectionError("the node's agent is gone")
        data += piece
    return bytes(data)


class Modules:
    """The modules of the user's project on one node.

    Attributes
    ----------
    project
        What the kernel said last, packed.
    """

    def __init__(self, directory: Path, store: BlobStore) -> None:
        self.project = Code("", b"")
        self._directory = directory
        self._store = store
        self._wanted: Project | None = Project(shared=False)
        self._units: dict[str, Unit] = {}
        self._placed: dict[str, str] = {}
        self._waiting: dict[str, list[asyncio.Future[Answer]]] = {}
        self._asked: AwaitNeeds | None = None
        self._timer: asyncio.TimerHandle | None = None

    # -- what the kernel says -----------------------------------------------------------------------------------------

    def take(self, project: Code) -> None:
        """Know the project as the kernel has it now."""
        if project.digest != self.project.digest:
            self.project, self._wanted = project, None

    def hold(self, asked: AwaitNeeds) -> None:
        """Answer with the modules that are needed, once there are some, or after a while."""
        self._answer(())
        self._asked = asked
        if self._waiting:
            self._answer(tuple(self._waiting))
        else:
            self._timer = asyncio.get_running_loop().call_later(asked.hold, self._answer, ())

    def lacking(self, digests: Iterable[str]) -> tuple[str, ...]:
        """Return which contents this machine has not."""
        return tuple(digest for digest in dict.fromkeys(digests) if not self._content(digest).exists())

    async def give(self, message: GiveUnit) -> str:
        """Keep the files of a module and let those go on who wait for it; returns why not, or nothing."""
        answer, refused = Answer(why=message.why), ""
        if message.unit is not None:
            try:
                await asyncio.to_thread(self._place, message)
                self._units[message.name] = message.unit
                answer = self._found(message.unit)
            except OSError as error:
                refused = f"its files could not be written ({error.strerror or error})"
                answer = Answer(why=refused)
        for waiting in self._waiting.pop(message.name, ()):
            if not waiting.done():
                waiting.set_result(answer)
        return refused

    # -- what slots ask -----------------------------------------------------------------------------------------------

    async def find(self, name: str) -> Answer:
        """Return where a module's files are, as the kernel has them now."""
        known = self._units.get(name)
        if known is not None and self._digest_of(name) in ("", known.digest):
            return self._found(known)
        waiting: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(name, []).append(waiting)
        self._answer((name,))
        return await waiting

    def _digest_of(self, name: str) -> str:
        """Return the digest that the kernel has given for a module's files; empty when it has given none."""
        if self._wanted is None:
            self._wanted = Project.from_bytes(self.project.body)
        provided = self._wanted.names.get(name)
        return provided.digest if provided is not None else ""

    def _answer(self, names: tuple[str, ...]) -> None:
        asked, self._asked = self._asked, None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if asked is not None:
            asked.reply_to.tell(names)

    def _found(self, unit: Unit) -> Answer:
        roots = tuple((str(self._directory / there), here) for there, here in unit.roots)
        return Answer(roots, unit.digest)

    # -- files --------------------------------------------------------------------------------------------------------

    def _content(self, digest: str) -> Path:
        return self._directory / "contents" / digest

    def _place(self, message: GiveUnit) -> None:
        """Write the files of a unit whose content is not in place yet, and remove those that are no longer in it."""
        assert message.unit is not None
        for file in message.unit.files:
            if not _PATH.fullmatch(file.path) or ".." in file.path.split("/") or not _DIGEST.fullmatch(file.digest):
                raise OSError(errno.EINVAL, f"{file.path[:100]!r} is not a file of a module")
        (self._directory / "contents").mkdir(parents=True, exist_ok=True)
        if message.contents is not None:
            packed: dict[str, bytes] = pickle.loads(lz4.frame.decompress(self._store.open(message.contents)))
            for digest, content in packed.items():
                _write(self._content(digest), content)
        for file in message.unit.files:
            if self._placed.get(file.path) != file.digest:
                target = self._directory / file.path
                target.parent.mkdir(parents=True, exist_ok=True)
                _write(target, self._content(file.digest).read_bytes(), _FIRST_TIME + int(file.digest[:7], 16))
                self._placed[file.path] = file.digest
        former = self._units.get(message.name)
        now = {file.path for file in message.unit.files}
        for file in former.files if former is not None else ():
            if file.path not in now:
                self._placed.pop(file.path, None)
                (self._directory / file.path).unlink(missing_ok=True)


def _write(path: Path, content: bytes, changed: int | None = None) -> None:
    partial = path.with_name(f"{path.name}.{os.getpid()}~")
    partial.write_bytes(content)
    if changed is not None:
        os.utime(partial, (changed, changed))
    partial.replace(path)


@asynccontextmanager
async def serve_modules(modules: Modules, config: AgentConfig) -> AsyncIterator[None]:
    """Answer the processes of this node inside the block."""
    answering: set[asyncio.Task[None]] = set()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        answering.add(task)
        try:
            (length,) = _LENGTH.unpack(await reader.readexactly(_LENGTH.size))
            name = (await reader.readexactly(length)).decode()
            body = pickle.dumps(await modules.find(name), 5)
            writer.write(_LENGTH.pack(len(body)) + body)
            await writer.drain()
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            return  # who asked is gone, or the node ends
        finally:
            answering.discard(task)
            writer.close()

    server = await asyncio.start_unix_server(answer, sock=bound(door(config)))
    try:
        yield
    finally:
        server.close()
        for task in answering:
            task.cancel()
