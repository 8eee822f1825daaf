"""Skyward: a local pool, called as a script calls it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from benchmarks.systems.base import System
from benchmarks.work import Array, checksum, counted, double, echo, one, total


def _doubled(items: Iterator[int]) -> Iterator[int]:
    for item in items:
        yield double(item)


class Skyward(System):
    """`>>` for calls anywhere, `gather` for many, `@` for every node."""

    name = "Skyward"
    module = "skyward"
    distribution = "skyward-jupyter"

    def __init__(self) -> None:
        self._pool: Any = None
        self._far: Any = None
        self._one: Any = None
        self._checksum: Any = None
        self._echo: Any = None

    def load(self) -> None:
        # What a pool needs is imported when its class is first used; there is a row of its own for that.
        import skyward

        _ = skyward.ComputePool

    def start(self, nodes: int) -> None:
        import skyward as sky

        self._one, self._checksum, self._echo = sky.compute(one), sky.compute(checksum), sky.compute(echo)
        self._pool = sky.ComputePool(nodes=nodes)
        self._pool.start()
        self.everywhere()

    def stop(self) -> None:
        for pool in (self._pool, self._far):
            if pool is not None:
                pool.stop()
        self._pool = self._far = None

    def call(self) -> object:
        return self._one() >> self._pool

    def gather(self, count: int) -> int:
        import skyward as sky

        return sum(sky.gather(*[self._one() for _ in range(count)]) >> self._pool)

    def yields(self, count: int) -> int:
        import skyward as sky

        return sum(sky.compute(counted)(count) >> self._pool)

    def feeds(self, count: int) -> int:
        import skyward as sky

        return int(sky.compute(total)(iter(range(count))) >> self._pool)

    def mapped(self, count: int) -> int:
        import skyward as sky

        return sum(sky.compute(_doubled)(iter(range(count))) >> self._pool)

    def everywhere(self) -> object:
        return self._one() @ self._pool

    def _as_if_far(self) -> Any:
        """A second pool, of the same size, whose nodes share no memory with this process."""
        import skyward as sky

        if self._far is None:
            self._far = sky.ComputePool(nodes=self._pool.size, _share=False).start()
        return self._far

    def send(self, array: Array) -> float:
        return float(self._checksum(array) >> self._pool)

    def send_over_tcp(self, array: Array) -> float:
        return float(self._checksum(array) >> self._as_if_far())

    def echo(self, array: Array) -> Array:
        back: Array = self._echo(array) >> self._pool
        return back

    def send_to_all(self, array: Array) -> list[float]:
        return list(self._checksum(array) @ self._as_if_far())
