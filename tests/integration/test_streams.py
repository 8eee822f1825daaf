"""Generators and gathered results that come one by one."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import skyward as sky
from skyward_jupyter.wire.feeds import LAST_WINDOW
from tests.integration.conftest import Until


@sky.compute
def count(n: int) -> Iterator[int]:
    yield from range(n)


@sky.compute
def endless(mark: str) -> Iterator[int]:
    n = 0
    try:
        while True:
            yield n
            n += 1
    finally:
        Path(mark).write_text(str(n))


@sky.compute
def breaks(after: int) -> Iterator[int]:
    yield from range(after)
    raise LookupError("broken")


@sky.compute
def wait_for(path: str, value: int) -> int:
    while not os.path.exists(path):
        time.sleep(0.002)
    return value


@sky.compute
def touch(path: str, value: int) -> int:
    Path(path).touch()
    return value


@pytest.mark.parametrize("n", [0, 1, 7, 8, 9, 16, 17, 1000])
def test_a_generator_streams_everything_in_order(pool: sky.ComputePool, n: int) -> None:
    assert list(count(n) >> pool) == list(range(n))


@sky.compute
def doubled(xs: Iterator[int]) -> Iterator[int]:
    for x in xs:
        yield 2 * x


@pytest.mark.parametrize("where", ["pool", "far"])
def test_many_small_things_both_ways(where: str, request: pytest.FixtureRequest) -> None:
    """Ten times as fast as one message for each could be; the benchmark has the rate."""
    target: sky.ComputePool = request.getfixturevalue(where)
    n = 100_000
    started = time.perf_counter()
    assert list(count(n) >> target) == list(range(n))
    assert list(doubled(iter(range(n))) >> target) == list(range(0, 2 * n, 2))
    assert time.perf_counter() - started < 45


def test_what_comes_alone_comes_at_once(pool: sky.ComputePool) -> None:
    """Although much came together before it, and nothing follows."""

    @sky.compute
    def some(go: str) -> Iterator[int]:
        yield from range(5000)
        while not os.path.exists(go):
            time.sleep(0.001)
            yield -1

    for rest in (stream := some("/") >> pool, some("/nothing") >> pool):
        assert [next(rest) for _ in range(5000)] == list(range(5000))
    assert list(stream) == []
    assert [next(rest) for _ in range(20)] == [-1] * 20
    rest.close()


def test_a_reader_that_stops_stops_the_node(pool: sky.ComputePool, tmp_path: Path, until: Until) -> None:
    mark = tmp_path / "closed"
    stream = endless(str(mark)) >> pool
    for n in range(50_000):
        assert next(stream) == n
    stream.close()
    until(lambda: mark.exists() and mark.read_text(), "the generator was closed")
    assert int(mark.read_text()) <= 50_000 + 2 * LAST_WINDOW


def test_a_generator_on_every_node(pool: sky.ComputePool) -> None:
    streams = count(20) @ pool
    assert [list(stream) for stream in streams] == [list(range(20))] * 3


def test_streams_read_in_turn(pool: sky.ComputePool) -> None:
    first, second = count(40) >> pool, count(40) >> pool
    assert list(zip(first, second, strict=True)) == [(n, n) for n in range(40)]


def test_a_stream_is_read_once(pool: sky.ComputePool) -> None:
    stream = count(3) >> pool
    assert next(stream) == 0
    assert list(stream) == [1, 2]
    assert list(stream) == []
    stream.close()


def test_leaving_early_ends_the_generator_where_it_is(pool: sky.ComputePool, tmp_path: Path, until: Until) -> None:
    mark = tmp_path / "closed"
    for value in endless(str(mark)) >> pool:
        if value == 20:
            break
    until(lambda: mark.exists() and mark.read_text(), "the generator was closed")
    assert 20 <= int(mark.read_text()) <= 60
    assert list(count(3) >> pool) == [0, 1, 2]


def test_nobody_reads_and_it_waits(pool: sky.ComputePool, tmp_path: Path, until: Until) -> None:
    mark = tmp_path / "closed"
    stream = endless(str(mark)) >> pool
    assert next(stream) == 0
    assert next(stream) == 1
    stream.close()
    until(lambda: mark.exists() and mark.read_text(), "the generator was closed")
    assert int(mark.read_text()) <= 40


@pytest.mark.parametrize("after", [0, 1, 8, 30])
def test_an_error_comes_after_what_was_yielded(pool: sky.ComputePool, after: int) -> None:
    stream = breaks(after) >> pool
    assert [next(stream) for _ in range(after)] == list(range(after))
    with pytest.raises(LookupError, match="broken") as caught:
        next(stream)
    assert caught.value.__notes__[-1].startswith(f"raised by breaks({after}) on node")


def test_an_error_of_the_reader_ends_it(pool: sky.ComputePool, tmp_path: Path, until: Until) -> None:
    def read(mark: Path) -> None:
        for value in endless(str(mark)) >> pool:
            1 // (5 - value)

    mark = tmp_path / "closed"
    with pytest.raises(ZeroDivisionError):
        read(mark)
    until(lambda: mark.exists() and mark.read_text(), "the generator was closed")


def test_a_generator_that_takes_too_long(pool: sky.ComputePool) -> None:
    @sky.compute
    def stalls() -> Iterator[int]:
        yield 1
        time.sleep(60)

    stream = stalls().with_timeout(0.1) >> pool
    assert next(stream) == 1
    with pytest.raises(sky.TaskTimeout):
        next(stream)


@pytest.mark.parametrize("where", ["pool", "far"])
def test_large_and_small_yields_stay_in_order(where: str, request: pytest.FixtureRequest) -> None:
    target: sky.ComputePool = request.getfixturevalue(where)

    @sky.compute
    def mixed(n: int) -> Iterator[np.ndarray]:
        for k in range(n):
            yield np.full(300_000 if k % 3 == 0 else 3, k)

    assert [int(array[-1]) for array in mixed(20) >> target] == list(range(20))


def test_gathered_in_order(pool: sky.ComputePool, tmp_path: Path) -> None:
    path = str(tmp_path / "go")
    calls = [wait_for(path, 0), touch(path, 1), touch(path, 2)]
    assert list(sky.gather(*calls, stream=True) >> pool) == [0, 1, 2]


def test_gathered_as_they_come(pool: sky.ComputePool, tmp_path: Path) -> None:
    path = str(tmp_path / "go")
    stream = sky.gather(wait_for(path, 0), touch(str(tmp_path / "else"), 1), stream=True, ordered=False) >> pool
    assert next(stream) == 1
    Path(path).touch()
    assert list(stream) == [0]


def test_gathered_results_come_while_others_run(pool: sky.ComputePool, tmp_path: Path) -> None:
    path = tmp_path / "go"
    stream = sky.gather(touch(str(tmp_path / "first"), 7), wait_for(str(path), 8), stream=True) >> pool
    assert next(stream) == 7
    path.touch()
    assert list(stream) == [8]


@pytest.mark.parametrize("ordered", [True, False])
def test_many_gathered(pool: sky.ComputePool, ordered: bool) -> None:
    double = sky.compute(lambda n: n * 2)
    found = list(sky.gather(*map(double, range(200)), stream=True, ordered=ordered) >> pool)
    assert sorted(found) == list(range(0, 400, 2))
    assert found == sorted(found) or not ordered


@pytest.mark.parametrize("ordered", [True, False])
def test_a_gathered_error_stops_the_others(pool: sky.ComputePool, ordered: bool, tmp_path: Path) -> None:
    def fail() -> int:
        raise LookupError("first")

    calls = [sky.compute(fail)(), *(wait_for(str(tmp_path / "never"), n) for n in range(5))]
    with pytest.raises(LookupError, match="first"):
        list(sky.gather(*calls, stream=True, ordered=ordered) >> pool)
    assert list(count(2) >> pool) == [0, 1]


def test_leaving_a_gathered_stream_stops_the_others(pool: sky.ComputePool, tmp_path: Path) -> None:
    calls = [*(wait_for(str(tmp_path / "never"), n) for n in range(2)), touch(str(tmp_path / "x"), 7)]
    for value in sky.gather(*calls, stream=True, ordered=False) >> pool:
        assert value == 7
        break
    assert touch(str(tmp_path / "y"), 1) @ pool == [1, 1, 1]


async def test_async_for(pool: sky.ComputePool) -> None:
    assert [value async for value in pool.stream(count(30))] == list(range(30))
    double = sky.compute(lambda n: n * 2)
    assert [value async for value in pool.stream(sky.gather(*map(double, range(5))))] == [0, 2, 4, 6, 8]
    with pytest.raises(LookupError, match="broken"):
        async for _ in pool.stream(breaks(3)):
            pass
