"""Writes and reads files on a machine over SFTP.

A file is written beside its place under a name of its own, with the mode it shall have, and moved there when it is
whole: a reader sees the old one or the new one, also when the connection breaks in the middle or the disk is full.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import posixpath
import secrets
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import BinaryIO, cast

import asyncssh

from skyward_jupyter.errors import ConnectionLost, TransferFailed
from skyward_jupyter.ssh.dial import Line
from skyward_jupyter.ssh.keeper import Keeper
from skyward_jupyter.tasks import promise, side_by_side

#: How long a file that is given up may take to be removed (seconds).
_SWEEP_WITHIN = 2.0
#: How many pieces of a file are under way at once, and how large they are where the other side does not say.
_AT_ONCE = 16
_PIECE = 32 * 1024


class Files:
    """The files of one machine."""

    def __init__(self, name: str, keeper: Keeper) -> None:
        self._name = name
        self._keeper = keeper
        self._started: tuple[Line, asyncio.Task[asyncssh.SFTPClient]] | None = None

    async def write(self, path: str, content: bytes, mode: int = 0o600) -> None:
        """Write a file there; see `skyward_jupyter.ssh.machine.Machine.write`."""
        async with self._placed(path, mode) as (sftp, partial):
            await _sent(sftp, partial, io.BytesIO(content))

    async def upload(self, local: Path, path: str, mode: int = 0o644) -> None:
        """Copy a file there; see `skyward_jupyter.ssh.machine.Machine.upload`."""
        async with self._placed(path, mode) as (sftp, partial):
            with local.open("rb") as content:
                await _sent(sftp, partial, content)

    async def read(self, path: str) -> bytes:
        """What a file there holds; see `skyward_jupyter.ssh.machine.Machine.read`."""
        with self._told(f"read {path}"):
            sftp = await self._client()
            parts: list[bytes] = []
            async with sftp.open(_from_home(path), "rb", block_size=0) as file:
                while part := await file.read(sftp.limits.max_read_len or _PIECE):
                    parts.append(cast(bytes, part))
            return b"".join(parts)

    async def close(self) -> None:
        """Start nothing any more."""
        started, self._started = self._started, None
        if started is not None:
            started[1].cancel()
            await asyncio.wait([started[1]])

    @contextlib.asynccontextmanager
    async def _placed(self, path: str, mode: int) -> AsyncIterator[tuple[asyncssh.SFTPClient, str]]:
        """A name to write to; what is there in the end is moved to `path`."""
        place = _from_home(path)
        folder, name = posixpath.split(place)
        partial = posixpath.join(folder, f".{name}.{secrets.token_hex(4)}.part")
        with self._told(f"write {path}"):
            sftp = await self._client()
            try:
                yield sftp, partial
                await sftp.chmod(partial, mode)
                await _moved(sftp, partial, place)
            except BaseException:
                with contextlib.suppress(asyncssh.Error, OSError, TimeoutError):
                    async with asyncio.timeout(_SWEEP_WITHIN):
                        await sftp.remove(partial)
                raise

    async def _client(self) -> asyncssh.SFTPClient:
        """The SFTP session of the connection that is up; one is enough for all files."""
        line = await self._keeper.line()
        if self._started is None or self._started[0] is not line or _failed(self._started[1]):
            self._started = line, promise(_sftp(line))
        started = self._started[1]
        await asyncio.wait([started])
        if started.cancelled():
            raise ConnectionLost(self._name, f"the connection to {self._name} is closed")
        return started.result()

    @contextlib.contextmanager
    def _told(self, what: str) -> Iterator[None]:
        """Raise what the project raises, with the machine's name."""
        try:
            yield
        except asyncssh.SFTPNoSuchFile as error:
            raise FileNotFoundError(f"could not {what} on {self._name}: there is no such file or directory") from error
        except (asyncssh.SFTPConnectionLost, asyncssh.SFTPNoConnection, asyncssh.DisconnectError) as error:
            raise self._lost(what, error.reason) from error
        except asyncssh.SFTPError as error:
            # OpenSSH says no more than this of a full disk.
            vague = type(error) is asyncssh.SFTPFailure
            why = "the disk may be full, or something of another kind has that name" if vague else error.reason
            raise TransferFailed(self._name, f"could not {what} on {self._name}: {why.lower()}") from error
        except asyncssh.ChannelOpenError as error:
            if self._started is not None and self._started[0].ssh.is_closed():  # it broke just then
                raise self._lost(what, error.reason) from error
            raise TransferFailed(
                self._name,
                f"could not {what} on {self._name}: it offers no SFTP ({error.reason}), which is needed",
            ) from error
        except (BrokenPipeError, ConnectionError) as error:
            raise self._lost(what, str(error)) from error

    def _lost(self, what: str, why: str) -> ConnectionLost:
        return ConnectionLost(self._name, f"could not {what} on {self._name}: the connection broke ({why})")


async def _sftp(line: Line) -> asyncssh.SFTPClient:
    return await line.ssh.start_sftp_client()


def _failed(task: asyncio.Task[asyncssh.SFTPClient]) -> bool:
    return task.done() and (task.cancelled() or task.exception() is not None)


async def _sent(sftp: asyncssh.SFTPClient, partial: str, content: BinaryIO) -> None:
    """Write a file that only its owner may read, with several pieces under way at once.

    They are sent by tasks of our own: those of asyncssh outlive it when a transfer is given up.
    """
    size = sftp.limits.max_write_len or _PIECE

    def read() -> Iterator[tuple[int, bytes]]:
        while piece := content.read(size):
            yield content.tell() - len(piece), piece

    async def send() -> None:
        for offset, piece in pieces:
            await file.write(piece, offset)

    pieces = read()
    file = await sftp.open(partial, "wb", asyncssh.SFTPAttrs(permissions=0o600), block_size=0)
    try:
        await side_by_side([send] * _AT_ONCE)
    except BaseException as error:
        # Why it failed, or was given up, is what counts.
        with contextlib.suppress(asyncssh.Error, OSError):
            async with asyncio.timeout(_SWEEP_WITHIN):
                await file.close()
        raise error.exceptions[0] if isinstance(error, ExceptionGroup) else error from None
    await file.close()


async def _moved(sftp: asyncssh.SFTPClient, partial: str, place: str) -> None:
    try:
        await sftp.posix_rename(partial, place)
    except asyncssh.SFTPOpUnsupported:
        # A server that is not OpenSSH's may have only the rename that refuses to replace.
        with contextlib.suppress(asyncssh.SFTPNoSuchFile):
            await sftp.remove(place)
        await sftp.rename(partial, place)


def _from_home(path: str) -> str:
    """SFTP starts at home, and knows no tilde."""
    return path.removeprefix("~/") or "." if path.startswith("~/") else path
