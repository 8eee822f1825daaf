"""The machines: addresses of OpenSSH servers here, and an echo beside them."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.ssh.weight import MIB

#: What the package index is reached by here.
_INDEX = ("SSL_CERT_FILE", "SSL_CERT_DIR", "UV_", "PIP_", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")


@dataclass(frozen=True)
class Servers:
    """Where to log in, with what, and where an echo answers there."""

    addresses: list[str]
    port: int
    user: str
    key: str
    host_key: str
    folder: str
    echo: int = 0

    @property
    def names(self) -> list[str]:
        """What a user would write for each."""
        return [f"{self.user}@{address}:{self.port}" for address in self.addresses]

    @property
    def config(self) -> str:
        """A configuration in which nothing of the user's own ~/.ssh counts."""
        return f"{self.folder}/config"

    @property
    def known_hosts(self) -> str:
        """A file in which their host key may be remembered."""
        return f"{self.folder}/ledger"


@contextlib.contextmanager
def serving(nodes: int, home: Path) -> Iterator[Servers]:
    """Run so many machines, on which `home` is that of whoever logs in."""
    from tests.machines import Sshd

    with tempfile.TemporaryDirectory() as folder, _echoing() as port:
        server = Sshd(Path(folder), nodes, config=f"LogLevel ERROR\n{_environment(home)}")
        found = Servers(server.addresses, server.port, server.user, str(server.key), server.host_key, folder, port)
        Path(found.known_hosts).touch(mode=0o600)
        try:
            yield found
        finally:
            server.stop()


def _environment(home: Path) -> str:
    given = {name: value for name, value in os.environ.items() if name.startswith(_INDEX)}
    given |= {"HOME": str(home), "PATH": f"{sys.base_prefix}/bin:/usr/local/bin:/usr/bin:/bin"}
    return "SetEnv " + " ".join(f"{name}={shlex.quote(value)}" for name, value in given.items())


@contextlib.contextmanager
def _echoing() -> Iterator[int]:
    with subprocess.Popen([sys.executable, "-m", __spec__.name], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield int(process.stdout.readline())
        finally:
            process.kill()


async def echo() -> None:
    """Send back whatever comes, until killed."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(MIB):
                writer.write(data)
                await writer.drain()
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0, limit=MIB) as server:
        print(server.sockets[0].getsockname()[1], flush=True)
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(echo())
