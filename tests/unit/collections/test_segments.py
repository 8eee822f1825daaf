"""Segments and counters make a write once, however often it comes: on a system of its own, with real actors."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from casty import ActorSystem, Ref

from skyward_jupyter.collections import apart
from skyward_jupyter.collections.apart import APART, Load, Store
from skyward_jupyter.collections.cells import (
    BUCKETS,
    Answered,
    Cell,
    Clear,
    Default,
    Kept,
    Look,
    Put,
    Scan,
    SegmentMessage,
    Size,
    Step,
    Take,
    Write,
)
from skyward_jupyter.collections.segments import SEGMENT
from skyward_jupyter.collections.tally import TALLIES, Count, Read
from skyward_jupyter.collections.writer import WRITERS, Mark, made_before, remembered

LEVELS = pytest.mark.parametrize("level", ["majority", "one"])
MOVED = pytest.mark.parametrize("moved", [False, True])


class Segment:
    """One segment, as writers of several nodes would ask it."""

    def __init__(self, system: ActorSystem, level: Any) -> None:
        self.system, self._kind = system, SEGMENT[level]
        self.ref: Ref[SegmentMessage] = system.ref(self._kind, "segment")

    async def write(self, mark: Mark, *steps: Step) -> dict[int, Cell]:
        kept: Kept = await self.ref.ask(Write(steps, mark))
        assert kept.enough
        return dict(kept.found)

    async def put(self, value: bytes, mark: Mark) -> None:
        assert await self.write(mark, Put({b"key": value})) == {}

    async def take(self, mark: Mark) -> Cell | None:
        return (await self.write(mark, Take(b"key", wanted=True))).get(0)

    async def default(self, value: bytes, mark: Mark) -> Cell | None:
        return (await self.write(mark, Default(b"key", value))).get(0)

    async def get(self) -> Cell | None:
        return (await self.ref.ask(Look((b"key",)))).get(b"key")

    async def move(self) -> None:
        """End its activation, so that the next one has what was saved and nothing else."""
        assert await self.system.release(self._kind, "segment")


@asynccontextmanager
async def segment(level: object) -> AsyncIterator[Segment]:
    async with ActorSystem() as system:
        yield Segment(system, level)


def mark(writer: str, number: int) -> Mark:
    return Mark(writer.encode(), number)


@LEVELS
@MOVED
async def test_a_repeated_write_does_not_undo_a_later_one(level: str, moved: bool) -> None:
    async with segment(level) as one:
        await one.put(b"old", mark("a", 1))
        await one.put(b"new", mark("b", 1))
        if moved:
            await one.move()
        await one.put(b"old", mark("a", 1))
        assert await one.get() == b"new"
        await one.put(b"newer", mark("a", 2))
        assert await one.get() == b"newer"


@LEVELS
@MOVED
async def test_a_repeated_write_does_not_bring_a_removed_key_back(level: str, moved: bool) -> None:
    async with segment(level) as one:
        await one.put(b"old", mark("a", 1))
        assert await one.take(mark("b", 1)) == b"old"
        if moved:
            await one.move()
        await one.put(b"old", mark("a", 1))
        assert await one.get() is None


@LEVELS
@MOVED
async def test_a_repeated_pop_gives_what_it_gave_and_removes_nothing_more(level: str, moved: bool) -> None:
    async with segment(level) as one:
        await one.put(b"first", mark("a", 1))
        assert await one.take(mark("b", 1)) == b"first"
        await one.put(b"second", mark("a", 2))
        if moved:
            await one.move()
        assert await one.take(mark("b", 1)) == b"first"
        assert await one.get() == b"second"
        assert await one.take(mark("b", 2)) == b"second"
        assert await one.take(mark("b", 3)) is None


@LEVELS
@MOVED
async def test_what_found_nothing_finds_nothing_when_it_is_repeated(level: str, moved: bool) -> None:
    async with segment(level) as one:
        assert await one.take(mark("b", 1)) is None
        await one.put(b"value", mark("a", 1))
        if moved:
            await one.move()
        assert await one.take(mark("b", 1)) is None
        assert await one.get() == b"value"


@LEVELS
@MOVED
async def test_a_repeated_default_is_set_once(level: str, moved: bool) -> None:
    async with segment(level) as one:
        assert await one.default(b"mine", mark("a", 1)) is None
        assert await one.default(b"other", mark("b", 1)) == b"mine"
        assert await one.take(mark("c", 1)) == b"mine"
        if moved:
            await one.move()
        assert await one.default(b"mine", mark("a", 1)) is None
        assert await one.get() is None


@LEVELS
@MOVED
async def test_a_repeated_clear_leaves_what_was_written_since(level: str, moved: bool) -> None:
    async with segment(level) as one:
        await one.put(b"old", mark("a", 1))
        await one.write(mark("b", 1), Clear())
        assert await one.ref.ask(Size()) == 0
        await one.put(b"new", mark("a", 2))
        if moved:
            await one.move()
        await one.write(mark("b", 1), Clear())
        assert await one.get() == b"new"


@LEVELS
@MOVED
async def test_a_write_that_comes_late_is_not_made(level: str, moved: bool) -> None:
    async with segment(level) as one:
        await one.put(b"first", mark("a", 1))
        await one.put(b"second", mark("a", 2))
        if moved:
            await one.move()
        with pytest.raises(TimeoutError):  # nobody waits for its answer
            async with asyncio.timeout(0.2):
                await one.put(b"first", mark("a", 1))
        assert await one.get() == b"second"


@LEVELS
async def test_steps_of_a_write_are_taken_in_their_order_and_found_by_their_place(level: str) -> None:
    async with segment(level) as one:
        steps = (
            Put({b"key": b"1", b"other": b"2"}),
            Take(b"key", wanted=True),
            Default(b"other", b"3"),
            Take(b"none", wanted=True),
            Put({b"key": b"4"}),
            Take(b"other", wanted=False),
        )
        for _ in range(2):
            assert await one.write(mark("a", 1), *steps) == {1: b"1", 2: b"2", 5: b""}
        assert await one.ref.ask(Look((b"key", b"other"))) == {b"key": b"4"}


@LEVELS
@MOVED
async def test_pages_have_every_key_once(level: str, moved: bool) -> None:
    async with segment(level) as one:
        cells = {b"%d" % number: bytes(1000) for number in range(4000)}
        await one.write(mark("a", 1), Put(cells))
        if moved:
            await one.move()
        found: dict[bytes, Cell] = {}
        at = pages = 0
        while at < len(BUCKETS):
            page = await one.ref.ask(Scan(at, wanted=True))
            assert not found.keys() & page.cells.keys()
            found |= page.cells
            at, pages = page.following, pages + 1
        assert found == cells
        assert pages > 2
        assert await one.ref.ask(Size()) == len(cells)


@LEVELS
async def test_a_value_that_is_kept_apart_goes_with_what_refers_to_it(level: Any) -> None:
    async with segment(level) as one:

        async def stored(name: str) -> None:
            await one.system.ref(APART[level], name).ask(Store(b"large", b"key", one.ref))

        async def there(name: str) -> bool:
            return await one.system.ref(APART[level], name).ask(Load()) is not None

        for name in ("first", "second", "third"):
            await stored(name)
        await one.write(mark("a", 1), Put({b"key": "first"}))
        await one.write(mark("a", 1), Put({b"key": "first"}))
        assert await there("first")
        await one.write(mark("a", 2), Put({b"key": "second"}))
        assert (await there("first"), await there("second")) == (False, True)
        assert await one.take(mark("a", 3)) == "second"
        assert await there("second")  # whoever took it reads it yet
        await one.write(mark("a", 4), Put({b"key": "third"}))
        await one.write(mark("a", 5), Clear())
        assert not await there("third")


@LEVELS
async def test_a_value_that_nothing_refers_to_goes_once_it_is_left_alone(
    level: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(apart, "QUIET", 1.0)
    async with segment(level) as one:
        for name in ("kept", "left"):
            await one.system.ref(APART[level], name).ask(Store(b"large", b"key", one.ref))
        await one.put(b"", mark("a", 1))
        await one.write(mark("a", 2), Put({b"key": "kept"}))
        for name in ("kept", "left"):
            await one.system.release(APART[level], name)
        async with asyncio.timeout(10):
            while await one.system.ref(APART[level], "left").ask(Load()) is not None:
                await one.system.release(APART[level], "left")
        assert await one.system.ref(APART[level], "kept").ask(Load()) == b"large"


@LEVELS
@MOVED
async def test_a_counter_counts_a_repeated_write_once(level: Any, moved: bool) -> None:
    async with ActorSystem() as system:
        kind = TALLIES[level]
        ref = system.ref(kind, "key")

        async def count(delta: int, by: Mark, *, over: bool = False) -> None:
            assert await ref.ask(Count(delta, over, by))

        await count(5, mark("a", 1))
        await count(0, mark("b", 1), over=True)
        await count(50, mark("c", 1))
        if moved:
            assert await system.release(kind, "key")
        await count(0, mark("b", 1), over=True)
        await count(5, mark("a", 1))
        assert await ref.ask(Read()) == 50


def test_the_last_write_of_each_writer_is_remembered_and_an_older_one_is_late() -> None:
    made: tuple[Mark, ...] = ()
    for number in range(1, 4):
        made = remembered(made, Mark(b"a", number))
    made = remembered(made, Mark(b"b", 9))
    assert len(made) == 2
    assert made_before(made, mark("a", 4)) is None
    assert made_before(made, mark("a", 3)) == Mark(b"a", 3)
    assert made_before(made, mark("a", 1)) == Mark(b"a", 3)
    for other in range(WRITERS - 1):
        made = remembered(made, Mark(b"other-%d" % other, 1))
    assert len(made) == WRITERS
    assert made_before(made, mark("b", 9)) is not None
    assert made_before(made, mark("a", 3)) is None


def test_what_a_writer_was_answered_is_remembered_with_its_write() -> None:
    made = remembered((Answered(b"a", 1, {}),), Answered(b"a", 2, {0: b"found"}))
    assert made == (Answered(b"a", 2, {0: b"found"}),)
