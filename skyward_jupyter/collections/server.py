"""Where the processes of a node reach its agent's collections: each call on a connection that makes one at a time.

A connection that ends takes with it what it had asked for and not heard, and the locks that it held. So a process that
is killed, or that is interrupted and drops its connection, leaves nothing behind.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from skyward_jupyter.collections.address import Who
from skyward_jupyter.collections.caller import Caller, read_call
from skyward_jupyter.collections.engine import Engine
from skyward_jupyter.collections.pieces import Cutter, piece
from skyward_jupyter.tasks import begin

type WhoIs = Callable[[int], Who]


class _Connection(asyncio.Protocol):
    """One connection of a process."""

    def __init__(self, engine: Engine, who_is: WhoIs) -> None:
        self._caller = Caller(engine)
        self._who_is = who_is
        self._cutter = Cutter()
        self._last = 0
        self._transport: asyncio.Transport | None = None
        self._answering: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """asyncio's callback."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """asyncio's callback."""
        for body in self._cutter.feed(data):
            self._caller.forget(self._last, heard=True)
            if body:
                self._last += 1
                self._answering = begin(self._answer(self._last, body), "answering a process of this node", self._drop)

    def connection_lost(self, exc: Exception | None) -> None:
        """asyncio's callback."""
        self._caller.gone()
        if self._answering is not None:
            self._answering.cancel()

    def _drop(self, _: BaseException) -> None:
        """Have the process hear that its call failed: its connection ends."""
        if self._transport is not None:
            self._transport.close()

    async def _answer(self, number: int, body: bytes) -> None:
        call = read_call(body)
        outcome = await self._caller.outcome(number, call, self._who_is(call.task))
        if self._transport is not None:
            self._transport.write(piece(outcome))


@asynccontextmanager
async def serve(engine: Engine, sock: socket.socket, who_is: WhoIs) -> AsyncIterator[None]:
    """Serve the processes of a node inside the block.

    Parameters
    ----------
    sock
        A bound Unix socket, in a place where only this user's processes get.
    who_is
        Who makes a call, by the task that it is made in.
    """
    server = await asyncio.get_running_loop().create_unix_server(lambda: _Connection(engine, who_is), sock=sock)
    try:
        yield
    finally:
        server.close()
