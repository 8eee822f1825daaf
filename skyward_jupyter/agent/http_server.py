"""uvicorn inside the agent: on its loop, without signal handlers, and with bounds on who may keep a connection."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

from skyward_jupyter.agent.http_routes import application
from skyward_jupyter.agent.jobs import Jobs

if TYPE_CHECKING:
    from skyward_jupyter.agent.node import Agent

#: Connections at a time; seconds a request's head, or what is left of a refused body, may take to come, and one may be
#: idle between two requests.
CONNECTIONS = 600
HEAD_WITHIN = 10.0
_KEEP_ALIVE = 20
#: Bytes of a request's head.
_HEAD = 32 * 1024


class Connection(H11Protocol):
    """One connection. It is closed when it brings no whole request for a while, or when there are too many."""

    _slow: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """asyncio's callback."""
        super().connection_made(transport)
        if len(self.connections) > CONNECTIONS:
            transport.abort()
        self._watch()

    def data_received(self, data: bytes) -> None:
        """asyncio's callback."""
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
    """uvicorn's server, which leaves signals to the agent."""

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
    await Server(config).serve(sockets=[sock])


def _token(agent: Agent) -> str:
    return Path(agent.config.token).read_text()
