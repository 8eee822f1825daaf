"""What preparing a machine and starting agents on it need of a connection to it.

`skyward_jupyter.ssh.connection` gives it over SSH; it reconnects by itself, so what is asked of it during a break
either waits or raises an error that says so.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

#: Takes a line of output as it comes: the stream (``stdout`` or ``stderr``) and the text without its end.
type OnLine = Callable[[str, str], None]


@dataclass(frozen=True, slots=True)
class Completed:
    """A command that ended by itself.

    Attributes
    ----------
    status
        Exit status; of one that a signal ended, minus its number.
    stdout
        What it wrote, whole.
    last
        The last lines of both streams, for people.
    """

    status: int
    stdout: str
    last: tuple[str, ...]


class Machine(Protocol):
    """A machine somewhere else.

    Attributes
    ----------
    name
        What users call it: as they wrote it, ``user@host:port`` at its longest.
    """

    name: str

    async def run(
        self, command: str, *, stdin: bytes = b"", timeout: float | None = None, on_line: OnLine | None = None
    ) -> Completed:
        """Run a shell command there; when this is cancelled or times out, it is ended with all that it started.

        Raises
        ------
        ConnectionLost
            The connection broke, and whether the command has ended is not known.
        TimeoutError
            It took longer than `timeout` seconds.
        """
        ...

    async def tell(self, command: str, *, timeout: float) -> None:
        """Run a short command there for what it does, also where no other may run beside those that do.

        Raises
        ------
        ConnectionLost
            The connection is broken; whether it was run is not known.
        TimeoutError
            It took longer than `timeout` seconds.
        """
        ...

    async def write(self, path: str, content: bytes, mode: int = 0o600) -> None:
        """Write a file there, as a whole or not at all; its directory exists."""
        ...

    async def upload(self, local: Path, path: str, mode: int = 0o644) -> None:
        """Copy a file there, as a whole or not at all."""
        ...

    async def read(self, path: str) -> bytes:
        """What a file there holds; FileNotFoundError where there is none."""
        ...

    async def open_socket(self, path: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A connection to the Unix socket of a process there; ConnectionRefusedError where nobody listens."""
        ...

    async def forward(self, host: str, port: int) -> int:
        """A port of this machine's 127.0.0.1 that leads to `host`:`port` as seen from there.

        It stays the same, and works again by itself after a break, until the connection is closed. Asked again for
        the same target, it is the same port.
        """
        ...
