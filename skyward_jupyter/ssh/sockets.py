"""Streams of asyncio over a channel to the Unix socket of a process on a machine."""

from __future__ import annotations

import asyncio
from typing import cast

import asyncssh

from skyward_jupyter.errors import ConnectionLost

#: How much may be unread before the other side is told to wait (bytes).
_LIMIT = 256 * 1024


class _Session(asyncssh.SSHUNIXSession[bytes]):
    """Hands what a channel says to a protocol of asyncio; the channel is its transport."""

    def __init__(self, protocol: asyncio.StreamReaderProtocol) -> None:
        self._protocol = protocol

    def connection_made(self, chan: asyncssh.SSHUNIXChannel[bytes]) -> None:
        self._protocol.connection_made(cast(asyncio.BaseTransport, chan))

    def connection_lost(self, exc: Exception | None) -> None:
        # Whoever reads a stream expects the errors of one.
        known = exc is None or isinstance(exc, OSError)
        self._protocol.connection_lost(exc if known else ConnectionResetError(str(exc)))

    def data_received(self, data: bytes, datatype: int | None) -> None:
        self._protocol.data_received(data)

    def eof_received(self) -> bool:
        return bool(self._protocol.eof_received())

    def pause_writing(self) -> None:
        self._protocol.pause_writing()

    def resume_writing(self) -> None:
        self._protocol.resume_writing()


async def connected(
    name: str, ssh: asyncssh.SSHClientConnection, path: str
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Connect to the Unix socket at `path`.

    Raises
    ------
    ConnectionRefusedError
        Nobody listens there, or sshd may not connect to it.
    ConnectionLost
        The connection broke.
    """
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=_LIMIT)
    protocol = asyncio.StreamReaderProtocol(reader)
    try:
        chan, _ = await ssh.create_unix_connection(lambda: _Session(protocol), path)
    except asyncssh.ChannelOpenError as error:
        if ssh.is_closed():
            raise ConnectionLost(name, f"the connection to {name} broke: {error.reason}") from error
        raise ConnectionRefusedError(f"nobody listens at {path} on {name} ({error.reason})") from error
    except (asyncssh.Error, OSError) as error:
        raise ConnectionLost(name, f"the connection to {name} broke: {error}") from error
    return reader, asyncio.StreamWriter(cast(asyncio.WriteTransport, chan), protocol, reader, loop)
