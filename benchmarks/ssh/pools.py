"""A pool of many machines that starts while calls run, one after another, on a pool of two nodes here.

All of it is on the kernel's one loop, in one thread. Before, `warm` has made the image in the home that the machines
share: what is measured is a start on machines that were used before.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import AsyncIterator
from statistics import median, quantiles
from time import perf_counter

import psutil

import skyward as sky
from benchmarks.ssh.rows import Start, Wrong
from benchmarks.ssh.servers import Servers
from benchmarks.ssh.weight import loop_stall, memory, threads
from benchmarks.trivial import one
from skyward_jupyter.runtime.bridge import wait

#: For how long calls are timed before the start, and the process is watched when it is idle (seconds).
_BEFORE = 3.0
_IDLE = 5.0
_BROADCASTS = 5
_STARTS_WITHIN = 900.0
_GONE_WITHIN = 5.0

_one = sky.compute(one)


def warm(servers: Servers) -> None:
    """Make the image."""
    _pool(servers).start().stop()


def measure(servers: Servers, row: Start) -> None:
    """Start a pool on all machines, use it, stop it."""
    wait(_measure(servers, row))


def _pool(servers: Servers) -> sky.ComputePool:
    provider = sky.SSH(servers.names, key=servers.key, known_hosts=servers.known_hosts)
    # Should this process be killed, its nodes soon end.
    return sky.ComputePool(
        provider=provider, name=f"bench{os.getpid()}", ttl=60, timeout=_STARTS_WITHIN, panel="off", retries=0
    )


async def _measure(servers: Servers, row: Start) -> None:
    async with sky.ComputePool(2, name=f"bench{os.getpid()}here", panel="off") as here:
        async with _calls(here) as times:
            await asyncio.sleep(_BEFORE)
        row.before, row.before_worst = _percentiles(times)
        far = _pool(servers)
        try:
            async with _calls(here) as times:
                await _started(far, row)
            row.during, row.during_worst = _percentiles(times)
            row.calls = len(times)
            await _used(far, row)
        finally:
            began = perf_counter()
            await far.stop_async()
            row.stopped = perf_counter() - began
        row.left = await _left(far.name)


@contextlib.asynccontextmanager
async def _calls(pool: sky.ComputePool) -> AsyncIterator[list[float]]:
    """Run calls one after another; gives how long each takes."""
    times: list[float] = []

    async def run() -> None:
        while True:
            began = perf_counter()
            await pool.run(_one())
            times.append(perf_counter() - began)

    task = asyncio.create_task(run())
    try:
        yield times
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


def _percentiles(times: list[float]) -> tuple[float, float]:
    return median(times), quantiles(times, n=100)[-1]


async def _started(pool: sky.ComputePool, row: Start) -> None:
    """Start it; note when the last node was how far."""
    before, began = memory(), perf_counter()

    def hear(event: sky.events.Event) -> None:
        match event:
            case sky.events.NodePhase(phase="connecting"):
                pass
            case sky.events.NodePhase(phase="starting its template"):
                row.prepared = perf_counter() - began
            case sky.events.NodePhase(phase="looking what is there"):
                row.connected = perf_counter() - began
            case sky.events.NodeReady():
                row.joined = perf_counter() - began

    off = pool.on(sky.events.NodeEvent, hear)
    async with loop_stall() as stall:
        await pool.start_async()
        row.ready = perf_counter() - began
    off()
    row.stall, row.own = stall.seconds, stall.own
    row.memory, row.threads = memory() - before, threads()


async def _used(pool: sky.ComputePool, row: Start) -> None:
    """Have all nodes answer, and then nothing."""
    took: list[float] = []
    for _ in range(_BROADCASTS + 1):
        began = perf_counter()
        if await pool.broadcast(_one()) != [1] * row.nodes:
            raise Wrong("not every node answered")
        took.append(perf_counter() - began)
    # The first one brought the function there.
    row.broadcast = median(took[1:])
    began, used = perf_counter(), time.process_time()
    await asyncio.sleep(_IDLE)
    row.idle = 100 * (time.process_time() - used) / (perf_counter() - began)


async def _left(pool: str) -> int:
    """How many processes of a pool there are when they have had a moment to end."""
    deadline = perf_counter() + _GONE_WITHIN
    while (count := _processes(pool)) and perf_counter() < deadline:  # noqa: ASYNC110  they tell nobody
        await asyncio.sleep(0.1)
    return count


def _processes(pool: str) -> int:
    """Its templates, agents and slots."""
    count = 0
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            line = " ".join(process.cmdline())
            count += line.startswith("skyward: ") and (f" {pool}/" in line or f" {pool}~" in line)
    return count
