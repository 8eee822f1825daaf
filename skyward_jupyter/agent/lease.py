"""Whether the kernel that owns a pool is alive: the process, not its event loop."""

from __future__ import annotations

import asyncio
import os
import sys

import psutil

_POLL = 1.0


async def owner_gone(pid: int) -> None:
    """Return once process `pid` has ended; at once if there is none."""
    if sys.platform == "linux":
        await _watch(pid)
    else:
        await _poll(pid)


async def _watch(pid: int) -> None:
    try:
        fd = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[None] = loop.create_future()

    def readable() -> None:
        if not ended.done():
            ended.set_result(None)

    loop.add_reader(fd, readable)
    try:
        await ended
    finally:
        loop.remove_reader(fd)
        os.close(fd)


async def _poll(pid: int) -> None:
    try:
        process = psutil.Process(pid)
        # Nothing tells of the end of somebody else's process on such a system.
        while process.is_running() and process.status() != psutil.STATUS_ZOMBIE:  # noqa: ASYNC110
            await asyncio.sleep(_POLL)
    except psutil.NoSuchProcess:
        return
