"""Real SSH servers that tests log in to: OpenSSH's sshd on loopback addresses, started and stopped by the test.

Each has a host key, an authorized key and a configuration of its own, and shares this machine's files and processes.
What a test starts is gone when it ends, however it ends: a server dies with the process that started it.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import getpass
import itertools
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import asyncssh
import psutil
import pytest

from skyward_jupyter.ssh.connection import Connection
from skyward_jupyter.ssh.hosts import Host, parse
from skyward_jupyter.ssh.keeper import Watch, unwatched
from skyward_jupyter.ssh.known import Ledger

#: Of the loopback network, so that each server has an address that is its own, as machines have.
_ADDRESSES = (f"127.{60 + os.getpid() % 60}.{high}.{low}" for high, low in itertools.product(range(256), range(2, 250)))
_STARTS_WITHIN = 10.0
#: On how many addresses one sshd listens at most; for more, there are several.
_SOCKETS = 16


def missing() -> str:
    """Why no server can be started here; "" when one can."""
    for program in ("sshd", "setpriv"):
        if not found(program):
            return f"there is no {program} (Debian: openssh-server, util-linux)"
    return ""


def found(program: str) -> str:
    """Where a program is, also one that only root has on PATH; "" when it is nowhere."""
    return shutil.which(program, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin") or ""


class Sshd:
    """An sshd, on one or more addresses of its own.

    Attributes
    ----------
    addresses, port
        Where it listens.
    key
        The file of the private key that it accepts.
    user
        Whom it lets in: whoever runs the tests.
    """

    def __init__(
        self, folder: Path, count: int = 1, *, started: bool = True, config: str = "", addresses: Sequence[str] = ()
    ) -> None:
        self.folder = folder
        self.user = getpass.getuser()
        self.addresses = list(addresses or itertools.islice(_ADDRESSES, count))
        self.port = _free_port(self.addresses[0])
        self.key = folder / "id_ed25519"
        self._more = config
        self._processes: list[subprocess.Popen[bytes]] = []
        folder.mkdir(parents=True, exist_ok=True)
        write_key(self.key)
        shutil.copy(self.key.with_suffix(".pub"), folder / "authorized_keys")
        (folder / "config").write_text(f"Host *\n  UserKnownHostsFile {folder}/known_hosts\n  IdentityAgent none\n")
        self.new_host_key()
        if started:
            self.start()

    @property
    def names(self) -> list[str]:
        """What a user would write for each address."""
        written = (f"[{address}]" if ":" in address else address for address in self.addresses)
        return [f"{self.user}@{address}:{self.port}" for address in written]

    @property
    def name(self) -> str:
        """The first of them."""
        return self.names[0]

    @property
    def host_key(self) -> str:
        """Its host key, as ``known_hosts`` has it."""
        return " ".join((self.folder / "host_key.pub").read_text().split()[:2])

    @property
    def log(self) -> str:
        """What it has said."""
        return (self.folder / "log").read_text(errors="replace")

    def host(self, number: int = 0, **said: str) -> Host:
        """One of its addresses, to connect to with its key; nothing of the user's own ~/.ssh counts."""
        return parse(self.names[number], **{"key": str(self.key), "config": str(self.folder / "config"), **said})

    def ledger(self) -> Ledger:
        """A ledger of the server's own."""
        return Ledger(self.folder / "ledger")

    def connection(self, number: int = 0, watch: Watch = unwatched, **said: str) -> Connection:
        """A connection that is not open yet."""
        return Connection(self.host(number, **said), self.ledger(), watch)

    def new_host_key(self) -> None:
        """Have another host key from the next start on."""
        write_key(self.folder / "host_key")

    def configure(self, config: str) -> None:
        """Have another configuration from the next start on."""
        self._more = config

    def start(self) -> None:
        """Start it; returns when it listens."""
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        self._processes = [
            self._serve(at, self.addresses[at : at + _SOCKETS]) for at in range(0, len(self.addresses), _SOCKETS)
        ]
        deadline = time.monotonic() + _STARTS_WITHIN
        while not all(map(self._listens, self.addresses)):
            assert all(process.poll() is None for process in self._processes), f"sshd ended: {self.log}"
            assert time.monotonic() < deadline, f"sshd does not listen: {self.log}"
            time.sleep(0.01)

    def stop(self, *, sessions: bool = True) -> None:
        """Stop it, and with `sessions` those who are logged in, too."""
        logged_in = self.sessions() if sessions else []
        for process in self._processes:
            process.kill()
            process.wait()
        self._processes = []
        for session in logged_in:
            with contextlib.suppress(psutil.Error):
                session.kill()
        deadline = time.monotonic() + 5
        while any(map(_runs, logged_in)):
            assert time.monotonic() < deadline, "the sessions do not end"
            time.sleep(0.01)

    def sessions(self) -> list[psutil.Process]:
        """The processes that serve those who are logged in; not what they run."""
        sessions: list[psutil.Process] = []
        for process in self._processes:
            with contextlib.suppress(psutil.Error):
                sessions += filter(_is_sshd, psutil.Process(process.pid).children(recursive=True))
        return sessions

    def _serve(self, number: int, addresses: Sequence[str]) -> subprocess.Popen[bytes]:
        config = self.folder / f"sshd_config_{number}"
        config.write_text(self._config(addresses))
        with (self.folder / "log").open("ab") as log:
            # It dies with the thread that starts it, which is that of the tests.
            return subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", found("sshd"), "-D", "-e", "-f", config],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def _listens(self, address: str) -> bool:
        with contextlib.suppress(OSError), socket.create_connection((address, self.port), timeout=1):
            return True
        return False

    def _config(self, addresses: Sequence[str]) -> str:
        listen = "\n".join(f"ListenAddress {address}" for address in addresses)
        usual = f"""Port {self.port}
{listen}
HostKey {self.folder}/host_key
AuthorizedKeysFile {self.folder}/authorized_keys
PidFile none
PermitRootLogin prohibit-password
PasswordAuthentication no
KbdInteractiveAuthentication no
StrictModes no
UsePAM no
UseDNS no
MaxStartups 500
Subsystem sftp internal-sftp
{_penalties(found("sshd"))}
"""
        # Of most keywords the first line counts, of some the last: what a test says is the only one.
        said = {line.split()[0] for line in self._more.splitlines()}
        rest = [line for line in usual.splitlines() if line.partition(" ")[0] not in said]
        return "\n".join([self._more, *rest, ""])


async def program(*words: str | Path, env: dict[str, str] | None = None) -> None:
    """Run a program of this machine; fails the test when it does."""
    process = await asyncio.create_subprocess_exec(*words, env=env, stdout=asyncio.subprocess.PIPE, stderr=-2)
    said, _ = await process.communicate()
    assert process.returncode == 0, said.decode()


async def until(condition: Callable[[], object], within: float = 60.0) -> None:
    """Wait for a condition; fails the test when it does not come true in time."""
    deadline = time.monotonic() + within
    while not condition():
        assert time.monotonic() < deadline, f"not within {within:g} s"
        await asyncio.sleep(0.005)


def write_key(path: Path) -> None:
    """Write a new pair of keys to `path` and `path`.pub."""
    key = asyncssh.generate_private_key("ssh-ed25519", comment="test")
    path.unlink(missing_ok=True)
    path.touch(mode=0o600)
    path.write_bytes(key.export_private_key("openssh"))
    path.with_suffix(".pub").write_bytes(key.export_public_key("openssh"))


@functools.cache
def _penalties(sshd: str) -> str:
    """The line that keeps an sshd from refusing whoever failed to log in a moment ago; older ones never do."""
    said = "PerSourcePenalties no"
    asked = subprocess.run([sshd, "-t", "-f", "/dev/null", "-o", said], capture_output=True, text=True, check=False)
    return "" if "PerSourcePenalties" in asked.stderr else said


def _runs(process: psutil.Process) -> bool:
    """Whether it runs; one that has ended may wait for the first process to notice."""
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def _is_sshd(process: psutil.Process) -> bool:
    try:
        return process.name().startswith("sshd")
    except psutil.Error:
        return False


def _free_port(address: str) -> int:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.create_server((address, 0), family=family) as server:
        return int(server.getsockname()[1])


type MakeSshd = Callable[..., Sshd]


@pytest.fixture
def sshd(tmp_path: Path) -> Iterator[MakeSshd]:
    """Starts servers, with the arguments of `Sshd` but for its folder."""
    if why := missing():
        pytest.skip(why)
    made: list[Sshd] = []

    def make(count: int = 1, *, started: bool = True, config: str = "", addresses: Sequence[str] = ()) -> Sshd:
        folder = tmp_path / f"sshd-{len(made)}"
        server = Sshd(folder, count, started=False, config=config, addresses=addresses)
        made.append(server)
        if started:
            server.start()
        return server

    yield make
    for server in made:
        server.stop()


def names(servers: Sequence[Sshd]) -> list[str]:
    """What a user would write for all their addresses."""
    return [name for server in servers for name in server.names]
