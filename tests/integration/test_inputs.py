"""Arguments that are streams: in order, once, as fast as they are read, and ended with their task."""

from __future__ import annotations

import asyncio
import contextvars
import threading
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import skyward as sky
from skyward_jupyter.actors import feed as feeding
from tests.integration.conftest import Until
from tests.streams import double, feeders, total


@sky.compute
def take(n: int, xs: Iterator[int]) -> list[int]:
    return [next(xs) for _ in range(n)]


@sky.compute
def sums(arrays: Iterator[np.ndarray]) -> list[float]:
    return [float(array.sum()) for array in arrays]


class Source:
    """Counts what is taken of it, and remembers when it was closed, and in which thread it ran."""

    def __init__(self, n: int = 10**9, pause: float = 0.0) -> None:
        self.n, self.pause = n, pause
        self.taken = 0
        self.closed = False
        self.threads: set[str] = set()

    def __call__(self) -> Iterator[int]:
        try:
            for k in range(self.n):
                self.threads.add(threading.current_thread().name)
                self.taken = k + 1
                time.sleep(self.pause)
                yield k
        finally:
            self.closed = True
            self.threads.add(threading.current_thread().name)


@pytest.fixture(autouse=True)
def nothing_is_left(until: Until) -> Iterator[None]:
    """No test leaves a thread that reads a stream."""
    yield
    until(lambda: not feeders(), "the threads that read streams have ended")


@pytest.mark.parametrize("n", [0, 1, 2, 15, 16, 17, 33, 1000, 50_000])
def test_everything_arrives_in_order_once(pool: sky.ComputePool, n: int) -> None:
    @sky.compute
    def check(xs: Iterator[int]) -> int:
        count = 0
        for count, x in enumerate(xs, 1):
            assert x == count - 1
        return count

    assert check(iter(range(n))) >> pool == n


@pytest.mark.parametrize("n", [0, 1, 7, 8, 16, 17, 40, 3000])
def test_in_and_out_at_once(pool: sky.ComputePool, n: int) -> None:
    assert list(double(iter(range(n))) >> pool) == list(range(0, 2 * n, 2))


@pytest.mark.parametrize("ins", [1, 2, 5])
@pytest.mark.parametrize("outs", [1, 3])
def test_any_proportion_of_in_to_out(pool: sky.ComputePool, ins: int, outs: int) -> None:
    @sky.compute
    def convert(xs: Iterator[int], ins: int, outs: int) -> Iterator[int]:
        while True:
            batch = [x for x, _ in zip(xs, range(ins), strict=False)]
            if not batch:
                return
            for _ in range(outs):
                yield sum(batch)

    n = 60 * (ins + 1)  # zip takes one more each time
    found = list(convert(iter(range(n)), ins, outs) >> pool)
    assert len(found) == 60 * outs


def test_the_source_is_read_no_faster_than_the_results(pool: sky.ComputePool, until: Until) -> None:
    source = Source()
    stream = double(source()) >> pool
    for n in range(500):
        assert next(stream) == 2 * n
        assert source.taken <= n + 500  # some windows, which grow while they hold the writer up
    stream.close()
    until(lambda: source.closed, "the generator was closed")
    assert source.taken <= 1500


def test_nothing_is_read_before_the_task_reads(pool: sky.ComputePool, tmp_path: Path, until: Until) -> None:
    @sky.compute
    def wait_then_sum(path: str, first: Iterator[int], second: Iterator[int]) -> tuple[int, int]:
        total = sum(first)
        while not Path(path).exists():
            time.sleep(0.002)
        return total, sum(second)

    first, second = Source(5), Source(5)
    future = wait_then_sum(str(tmp_path / "go"), first(), second=second()) > pool
    until(lambda: first.closed, "the first was read")
    assert second.taken == 0
    (tmp_path / "go").touch()
    assert future.result(20) == (10, 10)


def test_an_item_leaves_at_once(pool: sky.ComputePool) -> None:
    """Each item is made only when the answer to the one before is here."""
    answers: list[int] = []

    def conversation() -> Iterator[int]:
        for n in range(50):
            deadline = time.monotonic() + 20
            while len(answers) < n:
                assert time.monotonic() < deadline
                time.sleep(0.0005)
            yield n

    for answer in double(conversation()) >> pool:
        answers.append(answer)  # noqa: PERF402 - the source reads it meanwhile
    assert answers == list(range(0, 100, 2))


def test_lists_ranges_and_none(pool: sky.ComputePool) -> None:
    @sky.compute
    def maybe(xs: Iterator[int] | None = None) -> int:
        return -1 if xs is None else sum(xs)

    assert total([1, 2, 3]) >> pool == 6
    assert total(range(4)) >> pool == 6
    assert total(xs={1, 2}) >> pool == 3
    assert maybe() >> pool == -1
    assert maybe(None) >> pool == -1
    assert maybe(xs=[4]) >> pool == 4
    assert total.local(iter([1, 2])) == 3


def test_what_is_no_stream_is_refused_when_the_call_is_made(pool: sky.ComputePool) -> None:
    with pytest.raises(TypeError, match=r"total\(\): xs is a stream, and 'int' object is not iterable"):
        total(5)


def test_several_streams_of_one_task(pool: sky.ComputePool) -> None:
    @sky.compute
    def pairs(a: Iterator[int], factor: int, *, b: Iterator[int]) -> int:
        return sum(x * y * factor for x, y in zip(a, b, strict=True))

    assert pairs(iter(range(3000)), 2, b=iter(range(3000))) >> pool == 2 * sum(n * n for n in range(3000))


def test_a_method_with_a_stream(pool: sky.ComputePool) -> None:
    class Model:
        factor = 3

        @sky.compute
        def apply(self, xs: Iterator[int]) -> list[int]:
            return [self.factor * x for x in xs]

    assert Model().apply(iter([1, 2])) >> pool == [3, 6]


def test_gathered_each_with_its_own(pool: sky.ComputePool) -> None:
    calls = [total(iter(range(n))) for n in range(12)]
    assert sky.gather(*calls) >> pool == [sum(range(n)) for n in range(12)]
    assert (total(iter([1])) & total(iter([2]))) >> pool == (1, 2)


def test_one_iterator_is_not_shared(pool: sky.ComputePool) -> None:
    @sky.compute
    def both(a: Iterator[int], b: Iterator[int]) -> int:
        return sum(a) + sum(b)

    shared, plain = iter([1, 2]), [1, 2]
    with pytest.raises(sky.UsageError, match="one iterator is given twice"):
        sky.gather(total(shared), total(shared))
    with pytest.raises(sky.UsageError, match="one iterator is given twice"):
        total(shared) & total(shared)
    with pytest.raises(sky.UsageError, match="the second time as 'b'"):
        both(shared, shared)
    with pytest.raises(sky.UsageError, match="goes to every node"):
        total(shared) @ pool
    assert both(plain, plain) >> pool == 6
    assert sky.gather(total(plain), total(plain)) >> pool == [3, 3]
    assert list(shared) == [1, 2]


def test_a_list_goes_to_every_node(pool: sky.ComputePool) -> None:
    assert total(list(range(100))) @ pool == [4950] * 3
    assert [list(stream) for stream in double([1, 2]) @ pool] == [[2, 4]] * 3


class Mine(Exception):
    """Cannot travel: it wants two arguments."""

    def __init__(self, a: int, b: int) -> None:
        super().__init__(f"{a} and {b}")


@pytest.mark.parametrize("after", [0, 1, 40])
def test_an_error_of_the_source_is_raised_by_the_call(pool: sky.ComputePool, after: int) -> None:
    error = Mine(1, 2)

    def source() -> Iterator[int]:
        yield from range(after)
        raise error

    with pytest.raises(Mine) as caught:
        total(source()) >> pool
    assert caught.value is error
    stream = double(source()) >> pool
    assert [next(stream) for _ in range(after)] == list(range(0, 2 * after, 2))
    with pytest.raises(Mine) as caught:
        next(stream)
    assert caught.value is error


def test_the_task_may_catch_it(pool: sky.ComputePool) -> None:
    @sky.compute
    def careful(xs: Iterator[int]) -> tuple[int, str, str]:
        count = 0
        try:
            for _ in xs:
                count += 1
        except Exception as error:
            return count, type(error).__name__, str(error)
        return count, "", ""

    def source(error: Exception) -> Iterator[int]:
        yield 1
        raise error

    assert careful(source(LookupError("mine"))) >> pool == (1, "LookupError", "mine")
    assert careful(source(Mine(1, 2))) >> pool == (1, "Mine", "1 and 2")


def test_an_item_that_cannot_be_sent_is_named(pool: sky.ComputePool) -> None:
    with pytest.raises(sky.NotPicklable, match=r"an item of xs"):
        total(iter([1, threading.Lock()])) >> pool  # type: ignore[list-item]


def test_returning_early_closes_the_source_in_its_thread(pool: sky.ComputePool, until: Until) -> None:
    source = Source()
    assert take(3, source()) >> pool == [0, 1, 2]
    until(lambda: source.closed, "the generator was closed")
    assert source.taken <= 64
    assert source.threads == {"skyward-feed-xs"}


@pytest.mark.parametrize("read", [0, 5])
def test_a_source_that_nobody_asked_for_is_closed(pool: sky.ComputePool, read: int, until: Until) -> None:
    source = Source()
    values = source()
    for _ in range(read):
        next(values)
    assert take(0, values) >> pool == []
    until(lambda: source.closed or not read, "the generator was closed")
    assert list(values) == []


def test_an_iterator_that_is_no_generator_stays_open(pool: sky.ComputePool, tmp_path: Path) -> None:
    @sky.compute
    def head(lines: Iterator[str]) -> str:
        return next(lines)

    path = tmp_path / "lines"
    path.write_text("one\ntwo\n")
    with path.open() as file:
        assert head(file) >> pool == "one\n"
        assert not file.closed


def test_leaving_the_results_ends_both_sides(pool: sky.ComputePool, tmp_path: Path, until: Until) -> None:
    @sky.compute
    def watched(mark: str, xs: Iterator[int]) -> Iterator[int]:
        try:
            yield from xs
        finally:
            Path(mark).write_text("closed")

    for n, source in enumerate([Source(), Source(pause=0.01)]):
        mark = tmp_path / str(n)
        for value in watched(str(mark), source()) >> pool:
            if value == 5:
                break
        until(lambda: mark.exists(), "the generator over there was closed")  # noqa: B023
        until(lambda: source.closed, "the generator here was closed")  # noqa: B023


def test_cancelled_both_sides_end(pool: sky.ComputePool, until: Until) -> None:
    source = Source(pause=0.001)
    future = total(source()) > pool
    until(lambda: source.taken > 10, "it runs")
    assert future.cancel()
    until(lambda: source.closed, "the generator was closed")
    assert total([1]) >> pool == 1


def test_a_timeout_ends_both_sides(pool: sky.ComputePool, until: Until) -> None:
    source = Source(pause=0.001)
    with pytest.raises(sky.TaskTimeout):
        total(source()).with_timeout(0.3) >> pool
    until(lambda: source.closed, "the generator was closed")


def test_a_timeout_while_the_source_says_nothing(pool: sky.ComputePool) -> None:
    go = threading.Event()

    def silent() -> Iterator[int]:
        go.wait(20)
        yield 1

    with pytest.raises(sky.TaskTimeout):
        total(silent()).with_timeout(0.2) >> pool
    go.set()
    assert total([1]) >> pool == 1


@pytest.mark.parametrize("where", ["pool", "far"])
def test_large_items(where: str, request: pytest.FixtureRequest) -> None:
    target: sky.ComputePool = request.getfixturevalue(where)
    sizes = [3, 40_000, 200_000, 3, 3, 200_000, 5]
    arrays = (np.full(size, k, dtype=float) for k, size in enumerate(sizes * 5))
    expected = [float(size * k) for k, size in enumerate(sizes * 5)]
    assert sums(arrays) >> target == expected


@pytest.mark.parametrize("where", ["pool", "far"])
def test_large_items_leave_nothing_behind(where: str, request: pytest.FixtureRequest, until: Until) -> None:
    target: sky.ComputePool = request.getfixturevalue(where)
    hub: Any = target._inner.hub
    files = Path(hub.fleet.store)

    def single() -> list[Path]:
        found = [path for path in files.rglob("*-*") if path.is_file()]
        return [path for path in found if not {"certificates", "project"}.intersection(path.parts)]

    @sky.compute
    def first(arrays: Iterator[np.ndarray]) -> float:
        return float(next(arrays)[0])

    def endless() -> Iterator[np.ndarray]:
        while True:
            yield np.full(100_000, 7.0)

    until(lambda: not single(), "nothing is there yet")
    assert first(endless()) >> target == 7.0
    until(lambda: not single(), "what was not read is gone")
    assert not getattr(hub.payloads.store, "_held", None)


def test_an_item_may_be_changed_once_the_next_is_asked_for(pool: sky.ComputePool) -> None:
    def reused() -> Iterator[list[int]]:
        buffer = [0]
        for n in range(500):
            buffer[0] = n
            yield buffer

    @sky.compute
    def firsts(xs: Iterator[list[int]]) -> list[int]:
        return [x[0] for x in xs]

    assert firsts(reused()) >> pool == list(range(500))


def test_results_of_one_task_are_the_input_of_the_next(pool: sky.ComputePool) -> None:
    @sky.compute
    def count(n: int) -> Iterator[int]:
        yield from range(n)

    assert list(double(double(count(200) >> pool) >> pool) >> pool) == list(range(0, 800, 4))


def test_the_source_sees_the_context_of_the_caller(pool: sky.ComputePool) -> None:
    variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="none")

    def source() -> Iterator[str]:
        yield variable.get()

    @sky.compute
    def only(xs: Iterator[str]) -> str:
        return next(xs)

    variable.set("mine")
    assert only(source()) >> pool == "mine"
    assert (only(source()) > pool).result(20) == "mine"


def test_in_a_thread_slot(until: Until) -> None:
    with sky.ComputePool(nodes=1, worker=sky.Worker(concurrency=2, executor="thread")) as pool:
        assert total(iter(range(5000))) >> pool == sum(range(5000))
        assert list(double(iter(range(100))) >> pool) == list(range(0, 200, 2))
        calls = [total(iter(range(1000))) for _ in range(4)]
        assert sky.gather(*calls) >> pool == [sum(range(1000))] * 4
        source = Source(pause=0.001)
        with pytest.raises(sky.TaskTimeout):
            total(source()).with_timeout(0.3) >> pool
        until(lambda: source.closed, "the generator was closed")
        go = threading.Event()

        def silent() -> Iterator[int]:
            go.wait(20)
            yield 1

        with pytest.raises(sky.TaskTimeout):
            total(silent()).with_timeout(0.3) >> pool
        go.set()
        assert total([1]) >> pool == 1


async def test_asynchronous_sources(pool: sky.ComputePool, until: Until) -> None:
    ended: list[Any] = []

    async def source(n: int) -> AsyncIterator[int]:
        here = asyncio.get_running_loop()
        try:
            for k in range(n):
                await asyncio.sleep(0)
                yield k
        finally:
            ended.append(here is asyncio.get_running_loop())

    assert await pool.run(total(source(300))) == sum(range(300))
    assert [value async for value in pool.stream(double(source(50)))] == list(range(0, 100, 2))
    assert await pool.run(take(2, source(10**9))) == [0, 1]
    async with asyncio.timeout(20):
        while len(ended) < 3:  # noqa: ASYNC110 - the generator is closed by another task
            await asyncio.sleep(0.005)
    assert ended == [True] * 3
    with pytest.raises(sky.BlockingRefused, match="event loop that 'xs' is read on"):
        total(source(3)) >> pool


async def test_an_asynchronous_source_that_raises(pool: sky.ComputePool) -> None:
    error = LookupError("mine")

    async def source() -> AsyncIterator[int]:
        yield 1
        raise error

    with pytest.raises(LookupError) as caught:
        await pool.run(total(source()))
    assert caught.value is error


def test_asynchronous_on_the_node(pool: sky.ComputePool) -> None:
    @sky.compute
    def gathered(xs: AsyncIterator[int]) -> int:
        import asyncio

        async def work() -> int:
            found = 0
            async for x in xs:
                found += x
            return found

        return asyncio.run(work())

    assert gathered(iter(range(1000))) >> pool == sum(range(1000))


def test_the_node_reads_it_in_a_thread(pool: sky.ComputePool) -> None:
    @sky.compute
    def elsewhere(xs: Iterator[int]) -> Iterator[int]:
        from concurrent.futures import ThreadPoolExecutor

        with ThreadPoolExecutor(1) as threads:
            for _ in range(100):
                yield threads.submit(next, xs).result()

    assert list(elsewhere(iter(range(200))) >> pool) == list(range(100))


def test_output_of_the_task_comes_while_it_waits(
    pool: sky.ComputePool, capsys: pytest.CaptureFixture[str], until: Until
) -> None:
    go = threading.Event()
    shown: list[str] = []

    def silent() -> Iterator[int]:
        go.wait(20)
        yield 1

    @sky.compute
    def speak(xs: Iterator[int]) -> int:
        print("waiting for it")
        return next(xs)

    future = speak(silent()) > pool

    def seen() -> bool:
        shown.append(capsys.readouterr().out)
        return "waiting for it" in "".join(shown)

    until(seen, "the output is shown")
    assert not future.done()
    go.set()
    assert future.result(20) == 1


def test_a_stream_kept_beyond_its_task(pool: sky.ComputePool) -> None:
    with sky.ComputePool(nodes=1) as one:

        @sky.compute
        def keep(xs: Iterator[int]) -> int:
            import builtins

            builtins.kept = xs  # type: ignore[attr-defined]
            return next(xs)

        @sky.compute
        def use() -> int:
            import builtins

            return sum(builtins.kept)  # type: ignore[attr-defined, no-any-return]

        assert keep(iter(range(1000))) >> one == 0
        with pytest.raises(RuntimeError, match="belongs to a task that has ended"):
            use() >> one


def test_it_is_fast_enough(pool: sky.ComputePool) -> None:
    """A generous bound: a message for each item would take ten times as long."""
    started = time.monotonic()
    assert total(iter(range(200_000))) >> pool == sum(range(200_000))
    assert time.monotonic() - started < 30
    assert feeding.PIECE_ITEMS > 1000
