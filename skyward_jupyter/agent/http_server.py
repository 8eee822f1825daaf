"""uvicorn inside the agent: on its loop, without signal handlers, and with bounds on who may keep a connection."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, cast

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

from skyward_jupyter.agent.door import limit
from skyward_jupyter.agent.http_routes import application
from skyward_jupyter.agent.jobs import Jobs
from skyward_jupyter.tasks import begin

if TYPE_CHECKING:
    from skyward_jupyter.agent.node import Agent

#: Connections at a time, those of them that have not shown the token, and the seconds that each of these has for it.
CONNECTIONS = 600
STRANGERS = 256
CHANCE = 0.25
#: Seconds between two looks whether there is room for one more.
_PAUSE = 0.02
#: Seconds a request's head, or what is left of a refused body, may take to come, and one may be idle between two
#: requests.
HEAD_WITHIN = 10.0
_KEEP_ALIVE = 20
#: Bytes that may come of a body after the answer, for a sender that reads it only then.
_LEFT_OVER = 64 * 1024
#: Bytes of a request's head.
_HEAD = 32 * 1024


class Connection(H11Protocol):
    """One connection. It is closed when it brings no whole request for a while, or more of one than is read.

    Attributes
    ----------
    proven
        Whether it has shown the token: `Guard` says so, through the state of a request's scope.
    since
        When it was made.
    """

    proven = False
    since = 0.0
    _left_over = 0
    _slow: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """asyncio's callback."""
        super().connection_made(transport)
        self.app_state = {**self.app_state, "connection": self}
        self.since = self.loop.time()
        self._watch()

    def data_received(self, data: bytes) -> None:
        """asyncio's callback."""
        cycle: RequestResponseCycle | None = self.cycle
        if cycle is not None and cycle.response_complete and self.conn.their_state is h11.SEND_BODY:
            self._left_over += len(data)
            if self._left_over > _LEFT_OVER:
                self.transport.abort()
                return
        else:
            self._left_over = 0
        super().data_received(data)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """asyncio's callback."""
        self._stop_watching()
        super().connection_lost(exc)

    def _watch(self) -> None:
        """Time what comes outside of a request that is being answered."""
        cycle: RequestResponseCycle | None = self.cycle
        if cycle is not None and not cycle.response_complete:
            self._stop_watching()
        elif self._slow is None:
            self._slow = self.loop.call_later(HEAD_WITHIN, self.transport.abort)

    def _stop_watching(self) -> None:
        if self._slow is not None:
            self._slow.cancel()
            self._slow = None


class Server(uvicorn.Server):
    """uvicorn's server, which leaves signals to the agent, and takes in one after the other as there is room."""

    def __init__(self, config: uvicorn.Config, sock: socket.socket) -> None:
        super().__init__(config)
        self._sock = sock
        self._taking: asyncio.Task[None] | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """uvicorn's step."""
        await super().startup([])
        self._begin_taking()

    def _begin_taking(self, _: BaseException | None = None) -> None:
        self._taking = begin(self._take_in(), "taking in who calls the HTTP API", self._begin_taking)

    def close(self) -> None:
        """Take nobody in any more."""
        if self._taking is not None:
            self._taking.cancel()

    async def _take_in(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await self._room()
            with contextlib.suppress(OSError):  # it has gone, or there is no descriptor for it
                came, _ = await loop.sock_accept(self._sock)
                await loop.connect_accepted_socket(self._connection, came)
                continue
            await asyncio.sleep(_PAUSE)

    def _connection(self) -> Connection:
        return Connection(self.config, self.server_state, self.lifespan.state)

    async def _room(self) -> None:
        """Wait until one more may come; of too many strangers the oldest goes once it had its chance."""
        while True:
            every = cast(set[Connection], self.server_state.connections)
            there = [it for it in every if not it.transport.is_closing()]
            strangers = [it for it in there if not it.proven]
            most = min(CONNECTIONS, limit() // 4)
            if len(there) < most and len(strangers) < min(STRANGERS, most):
                return
            oldest = min(strangers, key=lambda it: it.since, default=None)
            if oldest is not None and asyncio.get_running_loop().time() - oldest.since >= CHANCE:
                oldest.transport.abort()
                return
            await asyncio.sleep(_PAUSE)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture none."""
        yield


async def serve(agent: Agent, sock: socket.socket) -> None:
    """Serve the API of `agent` until cancelled."""
    # A stranger's bytes are worth no line in any log.
    logging.getLogger("uvicorn.error").setLevel(logging.ERROR)
    config = uvicorn.Config(
        application(agent, Jobs(agent, agent.config.rank), _token(agent)),
        http=Connection,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=_KEEP_ALIVE,
        timeout_graceful_shutdown=1,
        h11_max_incomplete_event_size=_HEAD,
    )
    server = Server(config, sock)
    try:
        await server.serve()
    finally:
        server.close()


def _token(agent: Agent) -> str:
    return Path(agent.config.token).read_text()
