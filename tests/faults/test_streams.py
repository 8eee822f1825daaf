"""Streams whose other end goes: nothing is left reading, and nothing piles up."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest

import skyward as sky
from tests.faults.conftest import World
from tests.streams import double, feeders, total

MEGA = 2**20


@sky.compute
def die_after(n: int, how: str, xs: Iterator[int]) -> Iterator[int]:
    for count, x in enumerate(xs):
        if count == n and how == "exit":
            os._exit(3)
        if count == n and how == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        yield x


class Source:
    """An endless generator that says how far it is and whether it was closed."""

    def __init__(self) -> None:
        self.taken = 0
        self.closed = False

    def __call__(self) -> Iterator[int]:
        try:
            while True:
                time.sleep(0.0005)
                self.taken += 1
                yield self.taken
        finally:
            self.closed = True


def over(world: World, *sources: Source) -> None:
    world.until(lambda: all(source.closed for source in sources), "the generators here were closed")
    world.until(lambda: not feeders(), "the threads that read them have ended")


@pytest.mark.parametrize("how", ["exit", "kill"])
def test_a_slot_that_dies(pool: sky.ComputePool, world: World, how: str) -> None:
    source = Source()
    stream = die_after(30, how, source()) >> pool
    found: list[int] = []
    with pytest.raises(sky.SlotDied):
        found.extend(stream)
    assert found == list(range(1, len(found) + 1))
    over(world, source)
    assert total(iter(range(100))) >> pool == 4950


def test_a_node_that_dies(pool: sky.ComputePool, world: World) -> None:
    sources = [Source() for _ in range(3)]
    futures = [total(source()) > pool for source in sources]
    world.until(lambda: all(source.taken > 20 for source in sources), "all are read")
    os.kill(pool.nodes[1].pid, signal.SIGKILL)
    world.until(lambda: any(future.done() for future in futures), "one is lost")
    lost = [future for future in futures if future.done()]
    assert [type(future.exception()) for future in lost] == [sky.NodeLost]
    (at,) = [number for number, future in enumerate(futures) if future.done()]
    world.until(lambda: sources[at].closed, "its generator was closed")
    for future in futures:
        future.cancel()
    over(world, *sources)


def test_a_pool_that_is_stopped(world: World) -> None:
    sources = [Source(), Source()]
    with sky.ComputePool(nodes=2) as pool:
        future = total(sources[0]()) > pool
        stream = double(sources[1]()) >> pool
        assert next(stream) == 2
        world.until(lambda: sources[0].taken > 20, "both are read")
    with pytest.raises(sky.PoolStopped):
        future.result(10)
    with pytest.raises(sky.PoolStopped):
        list(stream)
    over(world, *sources)


def test_many_streams_that_are_left(pool: sky.ComputePool, world: World) -> None:
    sources = [Source() for _ in range(30)]
    for number, source in enumerate(sources):
        for count, _ in enumerate(double(source()) >> pool):
            if count == number:
                break
    over(world, *sources)
    assert total([1, 2]) @ pool == [3, 3, 3]  # type: ignore[arg-type]


class Sizes:
    """How much memory processes have, and how much a pool keeps in shared memory."""

    def __init__(self, world: World, pool: sky.ComputePool) -> None:
        self._processes = [psutil.Process(os.getpid()), *world.processes(pool.name)]
        self._files = world.files(pool.name)
        self._before = self._resident()

    def _resident(self) -> list[int]:
        return [process.memory_info().rss for process in self._processes]

    def grown(self) -> int:
        """By how much the process that grew most has grown."""
        return max(now - before for now, before in zip(self._resident(), self._before, strict=True))

    def kept(self) -> int:
        """Bytes of blobs."""
        found = 0
        for directory in self._files:
            for path in directory.rglob("*"):
                try:
                    found += path.stat().st_size if path.is_file() else 0
                except FileNotFoundError:
                    continue
        return found


@pytest.mark.slow
@pytest.mark.parametrize("share", [True, False])
@pytest.mark.parametrize("way", ["in", "both"])
def test_an_endless_stream_of_large_items_is_bounded(world: World, share: bool, way: str) -> None:
    @sky.compute
    def count(arrays: Iterator[np.ndarray]) -> int:
        return sum(1 for _ in arrays)

    @sky.compute
    def through(arrays: Iterator[np.ndarray]) -> Iterator[np.ndarray]:
        for array in arrays:
            yield array + 1

    made = [0]

    def endless() -> Iterator[np.ndarray]:
        mine = len(made)
        made.append(0)
        while True:
            made[mine] += 1
            yield np.full(MEGA // 8, made[mine], dtype=float)

    with sky.ComputePool(nodes=1, name=f"endless-{os.getpid()}-{share:d}-{way}", _share=share) as pool:
        for _ in zip(range(20), through(endless()) >> pool, strict=False):
            pass  # what both sides load once is loaded
        sizes = Sizes(world, pool)
        kept = 0
        if way == "in":
            future = count(endless()) > pool
            deadline = time.monotonic() + 60
            while made[-1] < 400:
                assert time.monotonic() < deadline
                kept = max(kept, sizes.kept())
                time.sleep(0.05)
            grown = sizes.grown()
            future.cancel()
        else:
            for number, array in enumerate(through(endless()) >> pool):
                assert array[0] == number + 2
                kept = max(kept, sizes.kept()) if number % 20 == 0 else kept
                if number == 400:
                    break
            grown = sizes.grown()
        assert grown < 96 * MEGA, f"{grown / MEGA:.0f} MB"
        assert kept < 64 * MEGA, f"{kept / MEGA:.0f} MB"
        world.until(lambda: sizes.kept() < 8 * MEGA, "what was not read is gone")
        world.until(lambda: not feeders(), "the thread that read it has ended")


def test_nobody_reads_the_results(pool: sky.ComputePool, world: World, tmp_path: Path) -> None:
    """The reader stops, so the node stops, so the source stops."""
    source = Source()
    stream = pool.stream(double(source()))
    assert next(stream) == 2
    last, since = -1, time.monotonic()
    while time.monotonic() - since < 1.0:
        if source.taken != last:
            last, since = source.taken, time.monotonic()
        time.sleep(0.01)
    assert last <= 80
    assert [next(stream) for _ in range(200)] == list(range(4, 404, 2))
    stream.close()
    over(world, source)
