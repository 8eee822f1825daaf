"""Waiting until a descriptor can be read, without reading it."""

from __future__ import annotations

import asyncio
import contextlib
import socket


async def readable(file: int | socket.socket) -> None:
    """Return once `file` has something to be read, or has ended."""
    loop = asyncio.get_running_loop()
    ready: asyncio.Future[None] = loop.create_future()

    def note() -> None:
        if not ready.done():
            ready.set_result(None)

    loop.add_reader(file, note)
    try:
        await ready
    finally:
        with contextlib.suppress(OSError, ValueError):  # it was closed meanwhile
            loop.remove_reader(file)
