"""What is sent to the nodes: functions that cost nothing and arrays that cannot be compressed or guessed."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

import numpy as np

from benchmarks.trivial import one as one

type Array = np.ndarray[Any, np.dtype[np.float64]]

SIZE = 64 * 2**20
"""Bytes of one array."""


def counted(count: int) -> Iterator[int]:
    """Yield small results, one by one."""
    yield from range(count)


def total(items: Iterator[int]) -> int:
    """Read small items, one by one."""
    return sum(items)


def double(item: int) -> int:
    """Make one small result of one small item."""
    return 2 * item


def checksum(array: Array) -> float:
    """Read one number of every page: proof that all of `array` arrived, at next to no cost."""
    return float(array[::512].sum())


def echo(array: Array) -> Array:
    """Give back what came."""
    return array


@cache
def _pool() -> tuple[Array, ...]:
    return tuple(np.random.default_rng(seed).random(SIZE // 8) for seed in range(4))


def arrays() -> Iterator[Array]:
    """Yield arrays without end, each with content that was not seen before.

    Four buffers are used in turn; each time one comes again, its numbers have changed.
    """
    turn = 0
    while True:
        for array in _pool():
            turn += 1
            array[::512] += turn
            yield array
