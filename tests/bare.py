"""Machines on which nothing of ours is: a login with a home of its own, and of this machine's programs only some.

A tool that a machine must not have is left out of its PATH, which is a directory of links. Packages come from the index
that this machine is set up for; what uv fetched is kept for the whole session of tests, outside of any home.
"""

from __future__ import annotations

import asyncio
import os
import shlex
import shutil
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path

import pytest

from skyward_jupyter.ssh.bootstrap import Prepared, clear, prepare
from skyward_jupyter.ssh.connection import Connection
from skyward_jupyter.ssh.image import Image
from skyward_jupyter.ssh.machine import Completed, OnLine
from skyward_jupyter.ssh.steps import Step
from skyward_jupyter.ssh.uv import NoUv, uv_for
from tests.index import TRUSTING, index, settings
from tests.machines import MakeSshd, Sshd, until

#: What a machine has not unless a test says so.
ABSENT = ("python*", "pip*", "uv", "uvx", "apt*", "dpkg*", "nvidia-smi", "conda*")


@dataclass
class Bare:
    """A machine that is connected to, and what is heard of it.

    Attributes
    ----------
    machine
        The connection, which counts its commands.
    home, bin
        Its home, and the directory of its programs.
    steps
        What was told, in order.
    """

    sshd: Sshd
    machine: Counting
    home: Path
    bin: Path
    steps: list[Step] = field(default_factory=list)

    async def prepare(self, image: Image | None = None, key: str = "k") -> Prepared:
        """Prepare it, from a clean slate of what was heard."""
        self.steps.clear()
        self.machine.commands = 0
        self.machine.sent = []
        return await prepare(self.machine, image or Image(), self.steps.append, key=key)

    @property
    def done(self) -> list[str]:
        """Steps that are done, in order."""
        return [step.name for step in self.steps if step.state == "done"]

    @property
    def root(self) -> Path:
        """Where all of ours is."""
        return self.home / ".skyward"

    async def at(self, step: str) -> None:
        """Wait until a step has begun."""
        await until(lambda: step in [told.name for told in self.steps])

    def has(self, name: str, script: str | Path) -> None:
        """Give it a program: one of this machine's, or a script."""
        (self.bin / name).unlink(missing_ok=True)
        if isinstance(script, Path):
            (self.bin / name).symlink_to(script)
        else:
            (self.bin / name).write_text(f"#!/bin/sh\n{script}\n")
            (self.bin / name).chmod(0o755)

    def images(self) -> list[Path]:
        """The images that are complete."""
        return [path.parent for path in self.root.glob("images/*/complete")]


class Counting(Connection):
    """A connection that counts commands and files."""

    commands = 0
    sent: list[str] = []

    async def run(
        self, command: str, *, stdin: bytes = b"", timeout: float | None = None, on_line: OnLine | None = None
    ) -> Completed:
        self.commands += 1
        return await super().run(command, stdin=stdin, timeout=timeout, on_line=on_line)

    async def write(self, path: str, content: bytes, mode: int = 0o600) -> None:
        self.sent.append(Path(path).name)
        await super().write(path, content, mode)

    async def upload(self, local: Path, path: str, mode: int = 0o644) -> None:
        self.sent.append(Path(path).name)
        await super().upload(local, path, mode)


type MakeBare = Callable[..., AsyncIterator[Bare]]


@pytest.fixture(scope="session")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A directory for the session, with `bin/uv`; skips where no index can be reached."""
    folder = tmp_path_factory.mktemp("kept")
    (folder / "bin").mkdir()
    before = os.environ.get("XDG_CACHE_HOME")
    os.environ["XDG_CACHE_HOME"] = str(folder / "cache")
    try:
        shutil.copy(asyncio.run(uv_for(os.uname().machine)), folder / "bin" / "uv")
    except NoUv as error:
        pytest.skip(f"no package index can be reached: {error}")
    finally:
        os.environ.pop("XDG_CACHE_HOME")
        if before is not None:
            os.environ["XDG_CACHE_HOME"] = before
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


class Bares:
    """Makes bare machines, and ends them."""

    def __init__(self, sshd: MakeSshd, kept: Path, folder: Path, stack: AsyncExitStack) -> None:
        self._sshd = sshd
        self._kept = kept
        self._folder = folder
        self._stack = stack
        self._count = 0

    async def ready(self) -> Bare:
        """One whose home the whole session shares, so that the usual image is complete after the first."""
        there = await self(home=self._kept / "home")
        await there.prepare()
        await clear(there.machine, "k")
        return there

    async def __call__(
        self,
        *,
        uv: bool = True,
        python: bool = True,
        cache: bool = True,
        home: Path | None = None,
        certificates: Path | None = None,
    ) -> Bare:
        """Make one, with uv and the Python of these tests unless told otherwise.

        With `certificates` its environment names that file, and says nothing else of whom to trust.
        """
        self._count += 1
        folder = self._folder / f"bare{self._count}"
        home = home or folder / "home"
        programs = folder / "bin"
        for path in (home, programs):
            path.mkdir(parents=True, exist_ok=True)
        _link_programs(programs)
        server = self._sshd(config=self._environment(home, programs, cache, certificates))
        machine = Counting(server.host(), server.ledger())
        bare = Bare(server, machine, home, programs)
        if uv:
            bare.has("uv", self._kept / "bin" / "uv")
        if python:
            bare.has(f"python{sys.version_info.major}.{sys.version_info.minor}", _python())
        await self._stack.enter_async_context(machine)
        return bare

    def _environment(self, home: Path, programs: Path, cache: bool, certificates: Path | None) -> str:
        given = settings() | index() | {"HOME": str(home), "PATH": str(programs), "UV_PYTHON_DOWNLOADS": "manual"}
        given |= {"UV_CACHE_DIR": str(self._kept / "uv" if cache else home / ".cache" / "uv")}
        if certificates is not None:
            given = {name: value for name, value in given.items() if name not in TRUSTING}
            given |= {"SSL_CERT_FILE": str(certificates)}
        return "SetEnv " + " ".join(f"{name}={shlex.quote(value)}" for name, value in given.items())


@pytest.fixture
async def bare(sshd: MakeSshd, kept: Path, tmp_path: Path) -> AsyncIterator[Bares]:
    """Makes machines on which nothing of ours is."""
    async with AsyncExitStack() as stack:
        yield Bares(sshd, kept, tmp_path, stack)


def _python() -> Path:
    """The Python that the one of these tests was made from: a machine has no environment of ours."""
    return Path(sys.base_prefix) / "bin" / f"python{sys.version_info.major}.{sys.version_info.minor}"


def _link_programs(folder: Path) -> None:
    for source in ("/usr/sbin", "/usr/bin", "/sbin", "/bin"):
        for program in os.scandir(source):
            if not any(fnmatch(program.name, absent) for absent in ABSENT):
                target = folder / program.name
                if not target.is_symlink():
                    target.symlink_to(program.path)
