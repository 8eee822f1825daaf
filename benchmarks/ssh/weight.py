"""What a process weighs: the longest time it stood still, processor time, memory, threads."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import Future
from io import FileIO
from time import perf_counter

import psutil

MIB = 1024 * 1024
_TICK = 0.005


class Stall:
    """The longest time in which a loop, or another thread, did not get to run; of the thread that makes it.

    Attributes
    ----------
    seconds
        The longest one so far.
    own
        The longest one without what the thread waited for a processor meanwhile, which is the machine's; None where
        the system does not tell (it is Linux that does).
    """

    def __init__(self) -> None:
        self.seconds = 0.0
        self.own: float | None = None
        self._waits = _waits()
        self._at, self._waited = perf_counter(), self._wait()

    def turn(self) -> None:
        """It runs, and last did so a tick ago if all is well."""
        now, waited = perf_counter(), self._wait()
        late = max(0.0, now - self._at - _TICK)
        self.seconds = max(self.seconds, late)
        if self._waits is not None:
            self.own = max(self.own or 0.0, late - (waited - self._waited))
        self._at, self._waited = now, waited

    def end(self) -> None:
        """It is not watched any longer."""
        self.turn()
        if self._waits is not None:
            self._waits.close()

    def _wait(self) -> float:
        """For how long this thread has waited for a processor so far."""
        if self._waits is None:
            return 0.0
        self._waits.seek(0)
        # What it ran and what it waited, in nanoseconds, and how often.
        return int(self._waits.read(100).split()[1]) / 1e9


def _waits() -> FileIO | None:
    try:
        return FileIO("/proc/thread-self/schedstat")
    except OSError:
        return None


@contextlib.asynccontextmanager
async def loop_stall() -> AsyncIterator[Stall]:
    """Note the longest time in which the loop did nothing else."""
    stall = Stall()

    async def tick() -> None:
        while True:
            await asyncio.sleep(_TICK)
            stall.turn()

    task = asyncio.create_task(tick())
    try:
        yield stall
    finally:
        task.cancel()
        stall.end()


@contextlib.contextmanager
def thread_stall() -> Iterator[Stall]:
    """Note the longest time in which another thread did not get to run."""
    over = threading.Event()
    made: Future[Stall] = Future()

    def tick() -> None:
        stall = Stall()
        made.set_result(stall)
        while not over.wait(_TICK):
            stall.turn()
        stall.end()

    thread = threading.Thread(target=tick, daemon=True)
    thread.start()
    try:
        yield made.result()
    finally:
        over.set()
        thread.join()


def longest(*stalls: Stall) -> float | None:
    """The longest of them without what was waited for a processor."""
    return max((stall.own for stall in stalls if stall.own is not None), default=None)


def memory() -> float:
    """What the process has in memory (MiB)."""
    return float(psutil.Process().memory_info().rss) / MIB


def threads() -> int:
    """How many threads it has, those of native libraries included."""
    return int(psutil.Process().num_threads())
