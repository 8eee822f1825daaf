"""Ports of this machine that lead to ports of another, the same ones for as long as its connection is kept.

The listening socket is ours, so a break of the connection does not cost the port. What was open when it broke is
closed. Whoever connects during the break waits for a while to be led there: the pool's client dials at once, and would
pause for seconds after a refusal. Bytes flow in both directions with back-pressure, and each end may close its own
direction first. Where it can be told (Linux), another user of this machine is not let in.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import cast

import asyncssh

from skyward_jupyter.errors import SkywardError
from skyward_jupyter.ssh.keeper import Keeper
from skyward_jupyter.ssh.peers import is_stranger
from skyward_jupyter.tasks import Tasks

#: How long whoever connects during a break waits before being refused (seconds).
BREAK = 30.0
#: How many are taken in before it is looked who they are.
AT_ONCE = 64


class Tunnel:
    """One port here that leads to one port there.

    Attributes
    ----------
    host, port
        Where it leads, as seen from there.
    local
        The port of 127.0.0.1.
    """

    def __init__(self, keeper: Keeper, host: str, port: int) -> None:
        self.host = host
        self.port = port
        self.local = 0
        self._keeper = keeper
        self._server: asyncio.Server | None = None
        self._closed = False
        self._near: set[_Near] = set()
        self._opening = Tasks(f"leading a connection to {host}:{port}")

    async def open(self) -> None:
        """Listen."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: _Near(self), "127.0.0.1", 0, backlog=AT_ONCE, start_serving=False
        )
        self.local = self._server.sockets[0].getsockname()[1]
        try:
            await self._server.start_serving()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Listen no more, refuse who has just connected, and close what is open."""
        self._closed = True
        if self._server is not None:
            # asyncio takes in whoever it has accepted one turn later, and would forget them, unclosed, in a server that
            # has been closed meanwhile.
            loop = self._server.get_loop()
            for listener in self._server.sockets:
                loop.remove_reader(listener.fileno())
            loop.call_soon(self._server.close)
        self._opening.cancel()
        for near in list(self._near):
            near.drop()

    def joined(self, near: _Near, peer: tuple[str, int]) -> None:
        """Someone connected here."""
        if self._closed or near.is_of_a_stranger:
            near.drop()
            return
        self._near.add(near)
        self._opening.start(self._lead(near, peer))

    def left(self, near: _Near) -> None:
        """A connection is over."""
        self._near.discard(near)

    async def _lead(self, near: _Near, peer: tuple[str, int]) -> None:
        """Open the way there, or refuse."""
        try:
            line = await self._keeper.line(BREAK)
            # As asyncssh's own forwarding does it: a forwarder is a session, but for its type.
            there = cast(Callable[[], asyncssh.SSHTCPSession[bytes]], lambda: asyncssh.SSHForwarder(near))
            channel, _ = await line.ssh.create_connection(there, self.host, self.port, *peer)
            near.flow(channel)
        except (asyncssh.Error, OSError, SkywardError):
            near.drop()
        except BaseException:
            near.drop()
            raise


class _Near(asyncssh.SSHForwarder):
    """The end of a tunnel here; its peer is the channel to there."""

    def __init__(self, tunnel: Tunnel) -> None:
        super().__init__()
        self._tunnel = tunnel
        self._here: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._here = cast(asyncio.Transport, transport)
        # Nothing is read before there is somewhere to write it.
        self._here.pause_reading()
        self._tunnel.joined(self, self._here.get_extra_info("peername", ("", 0))[:2])

    @property
    def is_of_a_stranger(self) -> bool:
        """Whether another user connected."""
        sock = None if self._here is None else self._here.get_extra_info("socket")
        with contextlib.suppress(OSError):  # it has gone
            return sock is not None and is_stranger(sock)
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self._here = None
        self._tunnel.left(self)
        super().connection_lost(exc)

    def flow(self, channel: asyncssh.SSHTCPChannel[bytes]) -> None:
        """The way is open, through `channel`, unless it has been dropped meanwhile."""
        if self._here is None:
            channel.close()
        else:
            self._here.resume_reading()

    def drop(self) -> None:
        """Refuse, or end at once."""
        if self._here is not None:
            self._here.abort()
