"""One repetition of one system: start it, measure the rows that were asked for, stop it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from statistics import median

from benchmarks import cells, limits
from benchmarks.measure import p50, seconds, sent_during
from benchmarks.ready import ready_seconds
from benchmarks.rows import OURS
from benchmarks.systems.base import NotMeasured, System
from benchmarks.systems.ray_actors import Ray
from benchmarks.work import SIZE, Array, arrays, checksum

type Record = Callable[[str, str, float], None]
"""Takes a row's id, a system's name and a value."""

CALLS = 5000
ITEMS = 100_000
MAPPED = 5000
"""Few, as for some each of them is a call."""
FIRST = "import skyward; skyward.ComputePool"
"""What a user's first line costs: names are loaded when they are first used, the import alone is next to nothing."""
MEGABYTES = SIZE / 1e6

TWO = frozenset({"call", "bound", "gather", "yields", "feeds", "mapped", "send", "tcp", "again", "echo"})
EIGHT = frozenset({"all", "bytes"})
READY = {"ready2": 2, "ready8": 8}


class Wrong(Exception):
    """A system gave back something else than what was asked: its time would mean nothing."""


def repetition(system: System, rows: Collection[str], record: Record) -> None:
    """Measure `rows` of `system` once; what it cannot do is left out."""
    for row, nodes in READY.items():
        if row in rows:
            record(row, system.name, ready_seconds(system.name, nodes))
    if TWO & set(rows):
        with _started(system, 2):
            _two(system, rows, record)
    if EIGHT & set(rows):
        with _started(system, 8):
            _eight(system, rows, record)
    if "cell" in rows and system.name in cells.CELLS:
        added, empty = cells.added(system.name)
        record("cell", system.name, added * 1e3)
        record("cell", "limit", empty * 1e3)


def ground(rows: Collection[str], record: Record) -> None:
    """Measure the limits once, and the import."""
    if {"call", "gather"} & set(rows):
        ask, rate = limits.casty_asks()
        record("call", "limit", ask * 1e3)
        record("gather", "limit", rate)
    if "send" in rows:
        record("send", "limit", limits.memory_copy())
    if "import" in rows:
        base = median(limits.import_seconds("import casty") for _ in range(3))
        record("import", "limit", base)
        record("import", OURS, median(limits.import_seconds(FIRST) for _ in range(3)) - base)


@contextmanager
def _started(system: System, nodes: int) -> Iterator[None]:
    try:
        system.start(nodes)
        yield
    finally:
        system.stop()


def _two(system: System, rows: Collection[str], record: Record) -> None:
    if "call" in rows:
        record("call", system.name, p50(system.call, 200, warm=20) * 1e3)
    if "bound" in rows and isinstance(system, Ray):
        record("bound", system.name, p50(system.call_bound, 200, warm=20) * 1e3)
    if "gather" in rows:
        record("gather", system.name, CALLS / seconds(lambda: _expect(system.gather(CALLS), CALLS)))
    for row, count, run in (
        ("yields", ITEMS, system.yields),
        ("feeds", ITEMS, system.feeds),
        ("mapped", MAPPED, system.mapped),
    ):
        if row in rows:
            with suppress(NotMeasured):
                record(row, system.name, _items(row, run, count))
    fresh = arrays()
    if "send" in rows:
        record("send", system.name, _rate(lambda: _sent(system.send, next(fresh))))
    if "again" in rows:
        same = next(fresh)
        record("again", system.name, _rate(lambda: _sent(system.send, same)))
    if "echo" in rows:
        record("echo", system.name, _rate(lambda: _back(system, next(fresh))))
    if "tcp" in rows:
        with suppress(NotMeasured):
            record("tcp", system.name, _rate(lambda: _sent(system.send_over_tcp, next(fresh))))


def _eight(system: System, rows: Collection[str], record: Record) -> None:
    if "all" in rows:
        record("all", system.name, p50(system.everywhere, 50, warm=5) * 1e3)
    if "bytes" in rows:
        array = next(arrays())
        shared = system.shared_bytes()
        sent = sent_during(lambda: _expect(system.send_to_all(array), [checksum(array)] * 8))
        record("bytes", system.name, (sent + system.shared_bytes() - shared) / array.nbytes)


def _items(row: str, run: Callable[[int], int], count: int) -> float:
    expected = sum(range(count)) * (2 if row == "mapped" else 1)
    _expect(run(count), expected)  # once to warm up
    return count / seconds(lambda: _expect(run(count), expected))


def _rate(action: Callable[[], None], warm: int = 4) -> float:
    return MEGABYTES / p50(action, 10, warm=warm)


def _sent(send: Callable[[Array], float], array: Array) -> None:
    _expect(send(array), checksum(array))


def _back(system: System, array: Array) -> None:
    _expect(checksum(system.echo(array)), checksum(array))


def _expect(got: object, expected: object) -> None:
    if got != expected:
        raise Wrong(f"expected {expected!r}, got {got!r}")
