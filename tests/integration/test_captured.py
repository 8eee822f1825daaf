"""What a function takes along on a pool: every call has its own, wherever it runs; caches fill where they are."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import skyward as sky


@pytest.fixture(scope="module", params=["process", "thread"])
def one(request: pytest.FixtureRequest) -> Iterator[sky.ComputePool]:
    """A pool where all calls meet."""
    with sky.ComputePool(nodes=1, worker=sky.Worker(executor=request.param), panel="off") as pool:
        yield pool


def counting() -> Callable[[], Any]:
    seen: list[int] = []

    def count() -> int:
        seen.append(1)
        return len(seen)

    return count


def numbering() -> Callable[[], Any]:
    numbers = iter(range(100))
    return lambda: next(numbers)


def filling() -> Callable[[], Any]:
    large = np.zeros(4_000_000)

    def fill() -> float:
        large[:] += 1
        return float(large[7])

    return fill


@pytest.mark.parametrize("make", [counting, numbering, filling])
def test_each_call_has_its_own(one: sky.ComputePool, make: Callable[[], Callable[[], Any]]) -> None:
    here, call = make(), sky.compute(make())
    expected = here()
    assert [call() >> one for _ in range(3)] == [expected] * 3
    assert call() @ one == [expected]
    assert list(sky.gather(*(call() for _ in range(4))) >> one) == [expected] * 4


def test_a_cache_fills_where_it_is(one: sky.ComputePool) -> None:
    @functools.cache
    def model() -> list[int]:
        return [0]

    @sky.compute
    def predict() -> int:
        model()[0] += 1
        return model()[0]

    assert [predict() >> one for _ in range(3)] == [1, 2, 3]
