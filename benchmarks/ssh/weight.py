"""What a process weighs: the longest time it stood still, processor time, memory, threads."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from time import perf_counter

import psutil

MIB = 1024 * 1024
_TICK = 0.005


@dataclass
class Stall:
    """The longest one so far.

    Attributes
    ----------
    seconds
        For how long a loop, or another thread, did not get to run.
    busy
        The most processor time that the loop's thread used in such a time; the rest it waited for a processor.
    """

    seconds: float = 0.0
    busy: float = 0.0


@contextlib.asynccontextmanager
async def loop_stall() -> AsyncIterator[Stall]:
    """Note the longest time in which the loop did nothing else."""
    found = Stall()

    async def tick() -> None:
        while True:
            began, used = perf_counter(), time.thread_time()
            await asyncio.sleep(_TICK)
            found.seconds = max(found.seconds, perf_counter() - began - _TICK)
            found.busy = max(found.busy, time.thread_time() - used)

    task = asyncio.create_task(tick())
    try:
        yield found
    finally:
        task.cancel()


@contextlib.contextmanager
def thread_stall() -> Iterator[Stall]:
    """Note the longest time in which another thread did not get to run."""
    found = Stall()
    over = threading.Event()

    def tick() -> None:
        while True:
            began = perf_counter()
            if over.wait(_TICK):
                return
            found.seconds = max(found.seconds, perf_counter() - began - _TICK)

    thread = threading.Thread(target=tick, daemon=True)
    thread.start()
    try:
        yield found
    finally:
        over.set()
        thread.join()


def memory() -> float:
    """What the process has in memory (MiB)."""
    return float(psutil.Process().memory_info().rss) / MIB


def threads() -> int:
    """How many threads it has, those of native libraries included."""
    return int(psutil.Process().num_threads())
