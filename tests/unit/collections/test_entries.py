"""Entries and counters make a write once, however often it comes: on a system of its own, with real actors."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from casty import ActorSystem, Ref
from casty.collections import entry

from skyward_jupyter.collections.entries import EntryMessage, Put, Take, eventual_entry, strong_entry
from skyward_jupyter.collections.tally import TALLIES, Count, Read
from skyward_jupyter.collections.writer import WRITERS, Made, Mark, Writer, made_before, remembered

ENTRIES = pytest.mark.parametrize("kind", [strong_entry, eventual_entry])


class Key:
    """An entry under one key, as casty's dict would ask it."""

    def __init__(self, system: ActorSystem, kind: object) -> None:
        self._system, self._kind = system, kind
        self._ref: Ref[EntryMessage] = system.ref(strong_entry if kind is strong_entry else eventual_entry, "key")

    async def put(self, value: bytes, mark: Mark, *, absent: bool = False) -> bytes | None:
        listed = 0
        while True:
            listed, there = await self._ref.ask(Put(value, listed, absent, mark))
            if listed == 0:
                return there

    async def take(self, mark: Mark) -> bytes | None:
        removed, _, value = await self._ref.ask(Take(True, mark))
        assert removed == (value is not None)
        return value

    async def get(self) -> bytes | None:
        return await self._ref.ask(entry.Get())

    async def move(self) -> None:
        """End its activation, so that the next one has what was saved and nothing else."""
        assert await self._system.release(strong_entry if self._kind is strong_entry else eventual_entry, "key")


@asynccontextmanager
async def key(kind: object) -> AsyncIterator[Key]:
    async with ActorSystem() as system:
        yield Key(system, kind)


def mark(writer: str, number: int) -> Mark:
    return Mark(writer.encode(), number)


@ENTRIES
@pytest.mark.parametrize("moved", [False, True])
async def test_a_repeated_write_does_not_undo_a_later_one(kind: object, moved: bool) -> None:
    async with key(kind) as one:
        await one.put(b"old", mark("a", 1))
        await one.put(b"new", mark("b", 1))
        if moved:
            await one.move()
        await one.put(b"old", mark("a", 1))
        assert await one.get() == b"new"
        await one.put(b"newer", mark("a", 2))
        assert await one.get() == b"newer"


@ENTRIES
@pytest.mark.parametrize("moved", [False, True])
async def test_a_repeated_write_does_not_bring_a_removed_key_back(kind: object, moved: bool) -> None:
    async with key(kind) as one:
        await one.put(b"old", mark("a", 1))
        assert await one.take(mark("b", 1)) == b"old"
        if moved:
            await one.move()
        await one.put(b"old", mark("a", 1))
        assert await one.get() is None


@ENTRIES
@pytest.mark.parametrize("moved", [False, True])
async def test_a_repeated_pop_gives_what_it_gave_and_removes_nothing_more(kind: object, moved: bool) -> None:
    async with key(kind) as one:
        await one.put(b"first", mark("a", 1))
        assert await one.take(mark("b", 1)) == b"first"
        await one.put(b"second", mark("a", 2))
        if moved:
            await one.move()
        assert await one.take(mark("b", 1)) == b"first"
        assert await one.get() == b"second"
        assert await one.take(mark("b", 2)) == b"second"
        assert await one.take(mark("b", 3)) is None


@ENTRIES
async def test_what_found_nothing_finds_nothing_when_it_is_repeated(kind: object) -> None:
    async with key(kind) as one:
        assert await one.take(mark("b", 1)) is None
        await one.put(b"value", mark("a", 1))
        assert await one.take(mark("b", 1)) is None
        assert await one.get() == b"value"


@ENTRIES
@pytest.mark.parametrize("moved", [False, True])
async def test_a_repeated_default_is_set_once(kind: object, moved: bool) -> None:
    async with key(kind) as one:
        assert await one.put(b"mine", mark("a", 1), absent=True) is None
        assert await one.put(b"other", mark("b", 1), absent=True) == b"mine"
        assert await one.take(mark("c", 1)) == b"mine"
        if moved:
            await one.move()
        assert await one.put(b"mine", mark("a", 1), absent=True) is None
        assert await one.get() is None


@pytest.mark.parametrize("write", ["majority", "one"])
@pytest.mark.parametrize("moved", [False, True])
async def test_a_counter_counts_a_repeated_write_once(write: str, moved: bool) -> None:
    async with ActorSystem() as system:
        kind = TALLIES["majority" if write == "majority" else "one"]
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
    made: tuple[Made, ...] = ()
    for number in range(1, 4):
        made = remembered(made, mark("a", number))
    made = remembered(made, mark("b", 9))
    assert len(made) == 2
    assert made_before(made, mark("a", 4)) is None
    assert made_before(made, mark("a", 3)) == Made(b"a", 3)
    assert made_before(made, mark("a", 1)) == Made(b"a", 3)
    for other in range(WRITERS - 1):
        made = remembered(made, mark(f"other-{other}", 1))
    assert len(made) == WRITERS
    assert made_before(made, mark("b", 9)) is not None
    assert made_before(made, mark("a", 3)) is None


async def test_a_writer_makes_its_writes_to_a_key_one_after_the_other() -> None:
    writer, order = Writer(), list[tuple[str, int]]()

    async def write(key: bytes, until: asyncio.Event) -> None:
        async with writer.turn(key) as made:
            order.append((key.decode(), made.number))
            await until.wait()

    free, now = asyncio.Event(), asyncio.Event()
    now.set()
    async with asyncio.TaskGroup() as group:
        group.create_task(write(b"one", free))
        group.create_task(write(b"one", now))
        await group.create_task(write(b"other", now))
        assert [key for key, _ in order] == ["one", "other"]
        free.set()
    assert [key for key, _ in order] == ["one", "other", "one"]
    assert order[0][1] < order[2][1]
