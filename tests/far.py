"""Machines for pools: servers that tests log in to, each with an address of its own, that share a home with one image.

What a pool has there is told by what it leaves: processes by their names, files by the pools' directories.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

import skyward as sky
from tests.index import settings
from tests.machines import Sshd, missing
from tests.processes import line_of, parents_of, words_of


class Machines:
    """Some machines.

    Attributes
    ----------
    servers
        Their sshd, one for each.
    home
        The home of whoever logs in to any of them, unless one was moved.
    """

    def __init__(self, folder: Path, home: Path, count: int) -> None:
        self.home = home
        self._folder = folder
        home.mkdir(parents=True, exist_ok=True)
        self._homes = [home] * count
        self.servers: list[Sshd] = []
        for number in range(count):
            self.servers.append(self._server(number))

    @property
    def names(self) -> list[str]:
        """What a user would write for each."""
        return [server.name for server in self.servers]

    @property
    def key(self) -> Path:
        """The private key that all of them accept."""
        return self.servers[0].key

    def provider(self, *, cluster: bool = True) -> sky.SSH:
        """All of them, for a pool."""
        return sky.SSH(self.names, key=self.key, known_hosts=self._known(), cluster=cluster)

    def pool(self, name: str, **given: object) -> sky.ComputePool:
        """A pool on all of them that has not started."""
        return sky.ComputePool(**{"provider": self.provider(), "name": name, **given})  # type: ignore[arg-type]

    def processes(self, pool: str) -> list[psutil.Process]:
        """Templates, agents and slots of a pool."""
        ours = (f" {pool}/", f" {pool}~")
        lines = ((process, line_of(process)) for process in psutil.process_iter())
        return [it for it, line in lines if line.startswith("skyward: ") and any(name in line for name in ours)]

    def of_node(self, pool: str, node: int) -> list[psutil.Process]:
        """All processes of one node, its template included."""
        agents = [it for it in self.processes(pool) if line_of(it).startswith(f"skyward: agent {pool}/{node}")]
        return [it for agent in agents for it in (*parents_of(agent), agent, *self._slots(pool, node))]

    def _slots(self, pool: str, node: int) -> list[psutil.Process]:
        start = f"skyward: slot {pool}/{node}."
        return [it for it in self.processes(pool) if line_of(it).startswith(start)]

    def files(self, pool: str) -> list[Path]:
        """The directories of a pool there."""
        return [found for home in {*self._homes} for found in home.glob(f".skyward/pools/{pool}-*")]

    def gone(self, pool: str) -> bool:
        """Whether nothing of a pool runs or lies there."""
        return not self.processes(pool) and not self.files(pool)

    def kill(self, number: int, pool: str) -> None:
        """A machine dies: its sshd, so that nobody who notices starts anything there, and all that a pool has there."""
        self.servers[number].stop()
        dying = self.of_node(pool, number)
        for process in dying:  # so that none notices the end of another
            with contextlib.suppress(psutil.Error):
                process.suspend()
                dying += [child for child in process.children(recursive=True) if child not in dying]
        for process in reversed(dying):
            with contextlib.suppress(psutil.Error):
                process.kill()

    def at_work(self, number: int | None = None) -> list[psutil.Process]:
        """All that whoever logs in has running there, or in the home of one of them."""
        homes = {str(home) for at, home in enumerate(self._homes) if number in (None, at)}
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                if process.pid != os.getpid() and process.environ().get("HOME") in homes and words_of(process):
                    found.append(process)
        return found

    def move(self, number: int, home: Path) -> None:
        """Give one of them a home of its own; those who are logged in are not any more."""
        home.mkdir(parents=True, exist_ok=True)
        self._homes[number] = home
        self.servers[number].stop()
        self.servers[number].configure(self._environment(home))
        self.servers[number].start()

    def close(self) -> None:
        """Stop them."""
        for server in self.servers:
            server.stop()

    def _known(self) -> Path:
        known = self._folder / "known"
        known.touch(mode=0o600)
        return known

    def _server(self, number: int) -> Sshd:
        server = Sshd(self._folder / f"machine{number}", started=False, config=self._environment(self.home))
        if number:
            # A user has one key for all of them.
            (server.folder / "authorized_keys").write_text(self.key.with_suffix(".pub").read_text())
        server.start()
        return server

    def _environment(self, home: Path) -> str:
        given = settings() | {
            "HOME": str(home),
            "UV_CACHE_DIR": f"{self.home}/.cache/uv",
            "PATH": f"{self.home}/tools:{sys.base_prefix}/bin:/usr/local/bin:/usr/bin:/bin",
        }
        return "SetEnv " + " ".join(f"{name}={shlex.quote(value)}" for name, value in given.items())


@pytest.fixture(scope="session")
def far_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home whose image is made by the first pool of the session."""
    return tmp_path_factory.mktemp("far") / "home"


@pytest.fixture(scope="module")
def machines(tmp_path_factory: pytest.TempPathFactory, far_home: Path) -> Iterator[Machines]:
    """Three machines, for the tests of one module."""
    if why := missing():
        pytest.skip(why)
    made = Machines(tmp_path_factory.mktemp("machines"), far_home, 3)
    yield made
    made.close()
