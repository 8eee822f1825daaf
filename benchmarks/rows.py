"""The rows of the table, and what each must hold."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from statistics import median
from typing import Literal

OURS = "Skyward"

type Samples = Mapping[str, Mapping[str, list[float]]]
"""Measured values by row and then by system (``"limit"`` among them), one per repetition."""

type Terms = Callable[[Medians], Iterator[tuple[str, float | None]]]
"""Yields what must hold: in words, and as the value ours is compared with (None: cannot be told)."""


@dataclass(frozen=True, slots=True)
class Row:
    """One thing that is measured."""

    id: str
    what: str
    unit: Literal["s", "ms", "/s", "MB/s", "x"]
    better: Literal["low", "high"]
    terms: Terms = field(repr=False)
    limit: str = ""

    def within(self, value: float, bound: float) -> bool:
        """Tell whether `value` is as good as `bound` or better."""
        return value <= bound if self.better == "low" else value >= bound


@dataclass(frozen=True, slots=True)
class Medians:
    """Medians over the repetitions."""

    samples: Samples

    def of(self, row: str, system: str) -> float | None:
        """Return the median of one system in one row, None where it was not measured."""
        values = self.samples.get(row, {}).get(system)
        return median(values) if values else None

    def best_peer(self, row: str) -> float | None:
        """Return the best median of the peers."""
        values = [
            found
            for system in self.samples.get(row, {})
            if system not in (OURS, "limit") and (found := self.of(row, system)) is not None
        ]
        if not values:
            return None
        return min(values) if BY_ID[row].better == "low" else max(values)


def _times(factor: float, value: float | None) -> float | None:
    return None if value is None else factor * value


def _peer(row: str, factor: float, words: str) -> Terms:
    def terms(medians: Medians) -> Iterator[tuple[str, float | None]]:
        yield words, _times(factor, medians.best_peer(row))

    return terms


def _call(medians: Medians) -> Iterator[tuple[str, float | None]]:
    yield "1/3 of the best peer", _times(1 / 3, medians.best_peer("call"))
    yield "2.5 bare asks", _times(2.5, medians.of("call", "limit"))


def _send(medians: Medians) -> Iterator[tuple[str, float | None]]:
    yield "the best peer", medians.best_peer("send")
    yield "60% of one copy", _times(0.6, medians.of("send", "limit"))


def _again(medians: Medians) -> Iterator[tuple[str, float | None]]:
    yield "10 x our first send", _times(10, medians.of("send", OURS))


def _bytes(medians: Medians) -> Iterator[tuple[str, float | None]]:
    yield "1.1 x", 1.1


def _import(medians: Medians) -> Iterator[tuple[str, float | None]]:
    yield "0.15 s", 0.15


def _items(medians: Medians) -> Iterator[tuple[str, float | None]]:
    yield "50,000 a second", 50_000.0


def _none(medians: Medians) -> Iterator[tuple[str, float | None]]:
    yield from ()


ROWS = (
    Row("ready2", "2 local nodes ready", "s", "low", _peer("ready2", 1, "the best peer")),
    Row("ready8", "8 local nodes ready", "s", "low", _peer("ready8", 0.25, "1/4 of the best peer")),
    Row("call", "trivial call, round trip, 2 nodes", "ms", "low", _call, "a bare casty ask"),
    Row("bound", "the same, to an actor bound to its process", "ms", "low", _none),
    Row("gather", "trivial calls, 5,000 gathered, 2 nodes", "/s", "high", _peer("gather", 5, "5 x the best peer"),
        "bare casty asks"),
    Row("all", "trivial call on all of 8 nodes", "ms", "low", _peer("all", 0.5, "1/2 of the best peer")),
    Row("send", "64 MB array to a local node", "MB/s", "high", _send, "one copy in memory"),
    Row("tcp", "the same over TCP, as to a remote machine", "MB/s", "high", _peer("tcp", 1, "the best peer")),
    Row("again", "the same array sent again, unchanged", "MB/s", "high", _again),
    Row("echo", "64 MB array there and back", "MB/s", "high", _peer("echo", 1, "the best peer")),
    Row("bytes", "64 MB to all of 8 nodes: bytes that leave the kernel", "x", "low", _bytes),
    Row("yields", "small results of one call, one by one as they come", "/s", "high", _items),
    Row("feeds", "small items of one argument, one by one as they are read", "/s", "high", _items),
    Row("mapped", "small items there and results back, in order", "/s", "high", _items),
    Row("cell", "`1` as a cell on 8 nodes, over an empty cell", "ms", "low",
        _peer("cell", 1 / 3, "1/3 of the best peer"), "an empty cell"),
    Row("import", "import and first use of `ComputePool`, over `import casty`", "s", "low", _import, "`import casty`"),
)  # fmt: skip
BY_ID = {row.id: row for row in ROWS}


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a row's budget holds: None where a part of it could not be told and the rest holds."""

    words: str
    holds: bool | None


def verdict(row: Row, medians: Medians) -> Verdict | None:
    """Compare ours with each of the row's terms; None for a row without a budget."""
    ours = medians.of(row.id, OURS)
    terms = list(row.terms(medians))
    if not terms:
        return None
    words = "; ".join(text for text, _ in terms)
    if ours is None:
        return Verdict(words, None)
    held = [None if bound is None else row.within(ours, bound) for _, bound in terms]
    return Verdict(words, False if False in held else None if None in held else True)
