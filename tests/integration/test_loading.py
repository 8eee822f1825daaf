"""Values whose code ends the process that loads or pickles them: each fails its own call, and nothing else."""

from __future__ import annotations

import asyncio
import concurrent.futures
import os
import pickle
from collections.abc import Callable, Iterator
from typing import Any, Literal

import pytest

import skyward as sky

type Kind = type[BaseException]
KINDS = [SystemExit, KeyboardInterrupt, GeneratorExit, asyncio.CancelledError]


def raised(kind: Kind) -> Any:
    raise kind("no")


def raised_elsewhere(kind: Kind, home: int) -> Any:
    return "loaded" if os.getpid() == home else raised(kind)


class Loaded:
    """Raises wherever it is loaded."""

    def __init__(self, kind: Kind) -> None:
        self.kind = kind

    def __reduce__(self) -> tuple[Any, ...]:
        return raised, (self.kind,)


class Pickled(Loaded):
    """Raises wherever it is pickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return raised(self.kind)  # type: ignore[no-any-return]


class LoadedElsewhere(Loaded):
    """Raises where it is loaded, but for the process that made it."""

    def __reduce__(self) -> tuple[Any, ...]:
        return raised_elsewhere, (self.kind, os.getpid())


class Failing(Exception):
    """An error that travels, and raises once it arrives."""

    def __init__(self, kind: Kind, home: int) -> None:
        super().__init__("the call failed")
        self.kind, self.home = kind, home

    def __reduce__(self) -> tuple[Any, ...]:
        return _failing, (self.kind, self.home)


def _failing(kind: Kind, home: int) -> Any:
    return Failing(kind, home) if os.getpid() == home else raised(kind)


@sky.compute
def make(kind: Kind) -> Loaded:
    return Loaded(kind)


@sky.compute
def make_large(kind: Kind) -> tuple[bytes, Loaded]:
    return os.urandom(2**19), Loaded(kind)


@sky.compute
def make_unpicklable(kind: Kind) -> Loaded:
    return Pickled(kind)


@sky.compute
def count(kind: Kind) -> Iterator[Any]:
    yield 1
    yield Loaded(kind)
    yield 3


@sky.compute
def fail(kind: Kind) -> None:
    raise Failing(kind, os.getpid())


@sky.compute
def take(value: object) -> object:
    return value


@sky.compute
def one() -> int:
    return 1


def later(pool: sky.ComputePool, work: sky.PendingCompute[Any]) -> Any:
    return (work > pool).result(30)


def awaited(pool: sky.ComputePool, work: sky.PendingCompute[Any]) -> Any:
    return asyncio.run(pool.run(work))


def streamed(pool: sky.ComputePool, work: sky.PendingCompute[Any]) -> Any:
    return list(pool.stream(sky.gather(work)))


WAYS: list[Callable[[sky.ComputePool, sky.PendingCompute[Any]], Any]] = [
    lambda pool, work: work >> pool,
    lambda pool, work: work @ pool,
    lambda pool, work: sky.gather(work, work) >> pool,
    later,
    awaited,
    streamed,
]
NAMES = ["call", "broadcast", "group", "future", "await", "stream"]


@pytest.fixture(params=["pool", "far"])
def target(request: pytest.FixtureRequest) -> Iterator[sky.ComputePool]:
    """A pool of each kind; it works after each test."""
    made: sky.ComputePool = request.getfixturevalue(request.param)
    yield made
    assert one() @ made == [1] * made.size


def told(error: BaseException) -> str:
    parts = error.exceptions if isinstance(error, BaseExceptionGroup) else (error,)
    assert all(isinstance(part, sky.TaskFailed) for part in parts)
    return str(parts[0])


@pytest.mark.parametrize("way", WAYS, ids=NAMES)
@pytest.mark.parametrize("kind", KINDS)
def test_a_result_that_raises_where_it_is_loaded(
    target: sky.ComputePool, kind: Kind, way: Callable[[sky.ComputePool, sky.PendingCompute[Any]], Any]
) -> None:
    for function in (make, make_large):
        with pytest.raises((sky.TaskFailed, ExceptionGroup)) as caught:
            way(target, function(kind))
        assert f"cannot be loaded here: {kind.__name__}: no" in told(caught.value)


@pytest.mark.parametrize("kind", KINDS)
def test_a_result_that_raises_where_it_is_pickled(target: sky.ComputePool, kind: Kind) -> None:
    with pytest.raises(sky.ResultNotPicklable, match="cannot be sent back"):
        make_unpicklable(kind) >> target


@pytest.mark.parametrize("kind", KINDS)
def test_an_item_of_a_stream(target: sky.ComputePool, kind: Kind) -> None:
    items = iter(count(kind) >> target)
    assert next(items) == 1
    with pytest.raises(sky.TaskFailed, match=f"cannot be loaded here: {kind.__name__}"):
        next(items)


@pytest.mark.parametrize("kind", KINDS)
def test_an_error(target: sky.ComputePool, kind: Kind) -> None:
    with pytest.raises(sky.RemoteError, match="Failing: the call failed"):
        fail(kind) >> target


@pytest.mark.parametrize("kind", KINDS)
def test_an_argument(target: sky.ComputePool, kind: Kind) -> None:
    with pytest.raises(sky.TaskFailed, match=f"could not load the call.*: {kind.__name__}: no"):
        take(LoadedElsewhere(kind)) >> target
    with pytest.raises(sky.NotPicklable, match="value"):
        take(Pickled(kind)) >> target


@pytest.mark.parametrize("executor", ["process", "thread"])
def test_a_slot_outlives_them(executor: Literal["process", "thread"]) -> None:
    with sky.ComputePool(nodes=1, worker=sky.Worker(concurrency=1, executor=executor)) as pool:
        before = sky.compute(os.getpid)() >> pool
        for kind in KINDS:
            with pytest.raises(sky.TaskFailed):
                take(LoadedElsewhere(kind)) >> pool
            with pytest.raises(sky.ResultNotPicklable):
                make_unpicklable(kind) >> pool
            with pytest.raises(sky.RemoteError):
                fail(kind) >> pool
        assert sky.compute(os.getpid)() >> pool == before


@pytest.mark.parametrize("kind", KINDS)
def test_jobs_of_an_executor(pool: sky.ComputePool, kind: Kind) -> None:
    with sky.Executor(pool) as executor:
        futures = [executor.submit(function.function, kind) for function in (make, make_large, make_unpicklable, fail)]
        others = [executor.submit(abs, -n) for n in range(9)]
        assert not concurrent.futures.wait([*futures, *others], 30).not_done
        assert [other.result() for other in others] == list(range(9))
        assert all(isinstance(future.exception(), sky.TaskFailed) for future in futures)
        assert isinstance(executor.submit(id, LoadedElsewhere(kind)).exception(30), sky.TaskFailed)
        with pytest.raises(sky.NotPicklable):
            _ = executor.submit(id, Pickled(kind))
        assert executor.submit(abs, -1).result(30) == 1


@pytest.mark.parametrize("kind", KINDS)
def test_values_of_collections(pool: sky.ComputePool, kind: Kind) -> None:
    name = f"bad-{kind.__name__}"
    shared = sky.dict(name)
    shared["bad"] = Loaded(kind)
    for read in (lambda: shared["bad"], lambda: shared.get("bad"), shared.items, lambda: shared.pop("bad")):
        with pytest.raises(pickle.PickleError, match=f"loading it raised {kind.__name__}: no"):
            read()
    with pytest.raises(pickle.PickleError, match=f"pickling it raised {kind.__name__}"):
        shared["bad"] = Pickled(kind)
    line = sky.queue(f"{name}-queue")
    line.put(Loaded(kind))
    with pytest.raises(pickle.PickleError, match="loading it raised"):
        line.get()

    async def later() -> None:
        await shared.setitem_async("bad", Loaded(kind))
        await shared.get_async("bad")

    with pytest.raises(pickle.PickleError, match="loading it raised"):
        asyncio.run(later())
