"""Two data nodes that are lost one after the other, while the third stands still and cannot be asked what it keeps."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial

import psutil
import pytest

import skyward as sky
from tests.faults.conftest import World
from tests.faults.test_nodes import pid_of, replaced

COUNTERS = 24
COUNTED = 439
WRITTEN = {number: str(number) for number in range(200)}
#: Seconds that the third node stands still: it is asked in that time, and not taken for lost.
STILL = 8.0

pytestmark = [pytest.mark.fault, pytest.mark.timeout(180)]


@pytest.fixture
def three() -> Iterator[sky.ComputePool]:
    """Have a pool whose nodes each keep everything."""
    with sky.ComputePool(nodes=3, name=f"fault-copies-{os.getpid()}") as pool:
        yield pool


@contextmanager
def standing_still(process: psutil.Process, seconds: float) -> Iterator[None]:
    """Stop a process for some seconds, at most as long as the block lasts."""
    again = threading.Timer(seconds, process.resume)
    process.suspend()
    again.start()
    try:
        yield
    finally:
        again.cancel()
        process.resume()


class Watch:
    """Reads a collection again and again until it does not say what was written, or says that it may not."""

    def __init__(self, right: Callable[[], bool]) -> None:
        self._right = right
        self.read = 0
        self.told = self.silent = False

    def look(self) -> None:
        """Read once; a collection that is unavailable has said so, and is read again."""
        if self.told or self.silent:
            return
        try:
            self.silent = not self._right()
            self.read += 1
        except sky.CollectionLost:
            self.told = True
        except sky.CollectionUnavailable:
            return


def watches(pool: sky.ComputePool) -> list[Watch]:
    """Write something into collections of each kind that keeps it, and watch them."""
    counters = [sky.counter(f"count-{number}", pool=pool) for number in range(COUNTERS)]
    for counter in counters:
        counter.increment(COUNTED)
    written, seen = sky.dict("written", pool=pool), sky.set("seen", pool=pool)
    written.update(WRITTEN)
    seen.update(WRITTEN)
    passed = sky.queue("passed", pool=pool)
    passed.put("item")
    return [
        *(Watch(partial(lambda it: it.value == COUNTED, counter)) for counter in counters),
        Watch(lambda: dict(written.items()) == WRITTEN),
        Watch(lambda: set(seen) == set(WRITTEN)),
        Watch(lambda: len(passed) == 1),
    ]


def test_what_two_lost_nodes_took_along_is_told_while_the_third_does_not_answer(
    three: sky.ComputePool, world: World
) -> None:
    first, second, still = 1, 0, 2
    watched = watches(three)
    old = {rank: pid_of(three, rank) for rank in range(3)}

    def lost(rank: int) -> bool:
        return all(view.phase != "ready" for view in three.nodes if view.rank == rank)

    def look() -> bool:
        for _ in threads.map(Watch.look, watched):
            pass
        return all(replaced(three, rank, old[rank]) for rank in (first, second))

    with ThreadPoolExecutor(len(watched)) as threads:
        os.kill(old[first], signal.SIGKILL)
        world.until(partial(lost, first), "the first node is known to be lost")
        os.kill(old[second], signal.SIGKILL)
        with standing_still(psutil.Process(old[still]), STILL):
            world.until(look, "both nodes are back", within=90)
        look()
    assert pid_of(three, still) == old[still]
    assert not [number for number, watch in enumerate(watched) if watch.silent], "something is gone without a word"
    assert all(watch.told or watch.read for watch in watched)
