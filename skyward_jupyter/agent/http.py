"""The HTTP API of a node: a socket that listens from the node's start, and a server that starts with the first caller.

Until somebody calls, nothing of the server is imported, so a pool that nobody calls pays nothing for it. It shares the
agent's loop and its life, and handles no signals. Connections that say nothing useful are closed in time, and their
number has a bound.
"""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from skyward_jupyter.agent.readable import readable
from skyward_jupyter.tasks import begin

if TYPE_CHECKING:
    from skyward_jupyter.agent.node import Agent

_BACKLOG = 1024


@asynccontextmanager
async def listen(agent: Agent) -> AsyncIterator[None]:
    """Serve HTTP inside the block, where the node has an address for it and the port is free."""
    sock = _bound(agent)
    if sock is None:
        yield
        return
    agent.report("http", address=agent.config.http)
    serving = begin(_serve(agent, sock), "the HTTP API")
    try:
        yield
    finally:
        serving.cancel()
        sock.close()


def _bound(agent: Agent) -> socket.socket | None:
    address = agent.config.http
    if not address:
        return None
    host, _, port = address.rpartition(":")
    # asyncio sends without delay only on what says that it is TCP.
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        # One that had this rank a moment ago leaves connections behind that are not quite over.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((host, int(port)))
        sock.listen(_BACKLOG)
    except OSError as error:
        sock.close()
        agent.report("log", text=f"no HTTP API on {address}: {error.strerror}; the node goes on without it")
        return None
    sock.setblocking(False)
    return sock


async def _serve(agent: Agent, sock: socket.socket) -> None:
    try:
        await readable(sock)
        from skyward_jupyter.agent.http_server import serve

        await serve(agent, sock)
    except Exception as error:
        agent.report("log", text=f"the HTTP API ended: {type(error).__name__}: {error}")
