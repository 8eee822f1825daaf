"""A machine that one has a login for, connected for as long as a pool lives.

Everything runs on the event loop that it was opened on. The connection comes back by itself after every break, and
`close` ends it, all that runs over it, and the attempts to have it.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import TracebackType
from typing import Self

from skyward_jupyter.ssh import sockets
from skyward_jupyter.ssh.commands import Commands
from skyward_jupyter.ssh.files import Files
from skyward_jupyter.ssh.hosts import Host
from skyward_jupyter.ssh.keeper import Keeper, State, Watch, unwatched
from skyward_jupyter.ssh.known import Ledger
from skyward_jupyter.ssh.machine import Completed, OnLine
from skyward_jupyter.ssh.tunnels import Tunnel
from skyward_jupyter.tasks import promise

#: How long a machine may take to be up (seconds).
UP_WITHIN = 300.0


class Connection:
    """The connection to one machine; a `skyward_jupyter.ssh.machine.Machine`.

    Attributes
    ----------
    host
        The machine.
    name
        What users call it.
    """

    def __init__(self, host: Host, ledger: Ledger, watch: Watch = unwatched) -> None:
        self.host = host
        self.name = host.name
        self._keeper = Keeper(host, ledger, watch)
        self._commands = Commands(self.name, self._keeper)
        self._files = Files(self.name, self._keeper)
        self._tunnels: dict[tuple[str, int], asyncio.Task[Tunnel]] = {}

    @property
    def state(self) -> State:
        """What it is like now."""
        return self._keeper.state

    @property
    def why(self) -> str:
        """Why it is like that, for people; "" when there is nothing to say."""
        return self._keeper.why

    async def open(self, within: float = UP_WITHIN, unaccepted: float = 0.0) -> None:
        """Connect.

        A machine that is not up yet is tried again for `within` seconds. One that does not accept our key is tried
        again for `unaccepted` seconds: one that is set up just now may learn it later than sshd starts.

        Raises
        ------
        ConnectionFailed
            It could not be reached, does not accept our key (AuthenticationFailed), or shows another host key than it
            is known by (HostKeyChanged).
        """
        await self._keeper.open(within, unaccepted)

    async def close(self) -> None:
        """End everything; nothing is left running, here or there."""
        for task in self._tunnels.values():
            if task.done() and not task.cancelled() and task.exception() is None:
                task.result().close()
            task.cancel()
        self._tunnels.clear()
        try:
            await self._commands.close()
            await self._files.close()
        finally:
            await self._keeper.close()

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def run(
        self, command: str, *, stdin: bytes = b"", timeout: float | None = None, on_line: OnLine | None = None
    ) -> Completed:
        """Run a shell command there; see `skyward_jupyter.ssh.machine.Machine.run`."""
        return await self._commands.run(command, stdin=stdin, timeout=timeout, on_line=on_line)

    async def tell(self, command: str, *, timeout: float) -> None:
        """Run a short command there for what it does; see `skyward_jupyter.ssh.machine.Machine.tell`."""
        await self._commands.tell(command, timeout=timeout)

    async def write(self, path: str, content: bytes, mode: int = 0o600) -> None:
        """Write a file there, as a whole or not at all; its directory exists."""
        await self._files.write(path, content, mode)

    async def upload(self, local: Path, path: str, mode: int = 0o644) -> None:
        """Copy a file there, as a whole or not at all; its directory exists."""
        await self._files.upload(local, path, mode)

    async def read(self, path: str) -> bytes:
        """What a file there holds; FileNotFoundError where there is none."""
        return await self._files.read(path)

    async def open_socket(self, path: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A connection to the Unix socket of a process there; ConnectionRefusedError where nobody listens."""
        line = await self._keeper.line()
        return await sockets.connected(self.name, line.ssh, path)

    async def forward(self, host: str, port: int) -> int:
        """A port of 127.0.0.1 that leads to `host`:`port` as seen from there, the same one after every break."""
        target = host, port
        known = self._tunnels.get(target)
        if known is None or (known.done() and (known.cancelled() or known.exception() is not None)):
            self._tunnels[target] = promise(self._tunnelled(host, port))
        return (await asyncio.shield(self._tunnels[target])).local

    async def _tunnelled(self, host: str, port: int) -> Tunnel:
        tunnel = Tunnel(self._keeper, host, port)
        await tunnel.open()
        return tunnel
