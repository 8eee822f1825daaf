"""The link between the kernel and its nodes breaks for a while: runs go on, and everything arrives, in order, once."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

import skyward as sky
from tests.faults.conftest import World
from tests.faults.link import Link

#: Breaks shorter and longer than a node may stay silent.
SHORT, LONG = 4.0, 60.0
#: Items of a stream across a break, and how soon the first must come once the link is whole (seconds).
ITEMS, BACK_WITHIN = 600, 10.0


@sky.compute
def echo(xs: Iterator[int]) -> Iterator[int]:
    for x in xs:
        print("line", x)
        yield x


@sky.compute
def sleep(seconds: float) -> float:
    time.sleep(seconds)
    return seconds


@sky.compute
def count(path: str) -> int:
    """Runs once, as its file tells."""
    with Path(path).open("a") as file:
        file.write("ran\n")
    return len(Path(path).read_text().splitlines())


@pytest.fixture
def link(monkeypatch: pytest.MonkeyPatch) -> Iterator[Link]:
    made = Link()
    made.install(monkeypatch)
    yield made
    made.close()


@contextmanager
def pool_of(world: World, name: str, **how: bool) -> Iterator[sky.ComputePool]:
    name = f"link-{os.getpid()}-{name}"
    with sky.ComputePool(nodes=2, name=name, **how) as pool:  # type: ignore[arg-type]
        yield pool
    world.until(lambda: world.gone(name), "everything of the pool is gone")


@contextmanager
def broken(link: Link, how: str, seconds: float, when: Callable[[], bool]) -> Iterator[list[float]]:
    """Inside, the link breaks for a while, once `when` holds; gives when it was whole again."""
    whole: list[float] = []

    def work() -> None:
        while not when():
            time.sleep(0.01)
        getattr(link, how)()
        time.sleep(seconds)
        whole.append(time.monotonic())
        link.mend()

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield whole
    finally:
        thread.join()


def everything_arrives(link: Link, pool: sky.ComputePool, how: str, seconds: float) -> tuple[list[int], float]:
    """A stream both ways with output, and a plain call, across a break; gives what was read, and how soon after it.

    The stream has a few seconds of work, however long the break is, so that what comes after it is the recovery.
    """
    found: list[int] = []
    times: list[float] = []

    def source() -> Iterator[int]:
        for k in range(ITEMS):
            time.sleep(0.01)
            yield k

    plain = sleep(seconds * 0.8) > pool
    with broken(link, how, seconds, lambda: len(found) > 20) as whole:
        for item in echo(source()) >> pool:
            found.append(item)
            times.append(time.monotonic())
    assert found == list(range(ITEMS))
    assert plain.result(20) == seconds * 0.8
    assert [view.phase for view in pool.nodes] == ["ready"] * 2
    back = next(at for at in times if at > whole[0]) - whole[0]
    assert back < BACK_WITHIN
    return found, back


def as_shown(found: list[int], text: str) -> bool:
    """Whether a line of output came for each item, in order, once."""
    return [int(line.split()[-1]) for line in text.splitlines()] == found


@pytest.mark.parametrize("how", ["cut", "stall"])
def test_everything_arrives_in_order_once(
    link: Link, world: World, how: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pool_of(world, how) as pool:
        found, back = everything_arrives(link, pool, how, SHORT)
    assert as_shown(found, capsys.readouterr().out)
    print(f"{SHORT:g} s of a link {how}: {ITEMS} items, {ITEMS} lines, 2 calls: 0 lost, going on after {back:.1f} s")


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_minute_without_a_link(link: Link, world: World, capsys: pytest.CaptureFixture[str]) -> None:
    with pool_of(world, "long") as pool:
        found, back = everything_arrives(link, pool, "cut", LONG)
    assert as_shown(found, capsys.readouterr().out)
    print(f"{LONG:g} s without a link: {ITEMS} items, {ITEMS} lines, 2 calls: 0 lost, going on after {back:.1f} s")


def test_large_items_cross_a_broken_link(link: Link, world: World) -> None:
    @sky.compute
    def double(arrays: Iterator[np.ndarray]) -> Iterator[np.ndarray]:
        for array in arrays:
            yield array * 2

    found: list[float] = []

    def source() -> Iterator[np.ndarray]:
        for k in range(60):
            time.sleep(0.02)
            yield np.full(200_000, k, dtype=float)

    with pool_of(world, "large", _share=False) as pool, broken(link, "cut", SHORT, lambda: len(found) > 10):
        found.extend(float(array[-1]) for array in double(source()) >> pool)
    assert found == [2.0 * k for k in range(60)]


def test_calls_made_while_it_is_cut_run_once(link: Link, world: World, tmp_path: Path) -> None:
    big = np.arange(300_000)

    @sky.compute
    def large(array: np.ndarray) -> np.ndarray:
        return array + 1

    with pool_of(world, "calls", _share=False) as pool:
        assert sleep(0) @ pool == [0, 0]
        link.cut()
        futures = [count(str(tmp_path / str(n))) > pool for n in range(20)]
        transfer = large(big) > pool
        threading.Timer(SHORT, link.mend).start()
        assert [future.result(30) for future in futures] == [1] * 20
        assert int(transfer.result(30)[-1]) == 300_000
        assert sleep(0) @ pool == [0, 0]


def test_breaks_again_and_again(link: Link, world: World) -> None:
    found: list[int] = []
    over = threading.Event()

    def source() -> Iterator[int]:
        for k in range(1500):
            time.sleep(0.004)
            yield k

    def hack() -> None:
        while not over.wait(0.5):
            link.cut()
            link.mend()

    with pool_of(world, "often") as pool:
        thread = threading.Thread(target=hack)
        thread.start()
        try:
            found.extend(echo(source()) >> pool)
        finally:
            over.set()
            thread.join()
    assert found == list(range(1500))


def test_leaving_a_stream_while_it_is_cut(link: Link, world: World, tmp_path: Path) -> None:
    mark, closed = tmp_path / "mark", threading.Event()

    @sky.compute
    def watched(path: str, xs: Iterator[int]) -> Iterator[int]:
        try:
            yield from xs
        finally:
            Path(path).touch()

    def source() -> Iterator[int]:
        try:
            k = 0
            while True:
                time.sleep(0.002)
                yield (k := k + 1)
        finally:
            closed.set()

    with pool_of(world, "left") as pool:
        for value in watched(str(mark), source()) >> pool:
            if value == 10:
                link.cut()
                break
        threading.Timer(1.0, link.mend).start()
        world.until(mark.exists, "the generator over there was closed")
        world.until(closed.is_set, "the generator here was closed")
        assert sleep(0) @ pool == [0, 0]


def test_a_node_that_dies_while_the_link_is_cut(link: Link, world: World) -> None:
    """Its fleet says so, whatever the link does."""
    import signal

    with pool_of(world, "dies") as pool:
        futures = [sleep(60).with_retries(0) > pool for _ in range(2)]
        world.until(lambda: all(view.running for view in pool.nodes), "both run")
        link.cut()
        os.kill(pool.nodes[1].pid, signal.SIGKILL)
        world.until(lambda: any(future.done() for future in futures), "one is lost")
        link.mend()
        errors = [future.exception() for future in futures if future.done()]
        assert [type(error) for error in errors] == [sky.NodeLost]
        for future in futures:
            future.cancel()
        world.until(lambda: all(view.phase == "ready" for view in pool.nodes), "it is replaced")
