"""The writes of one process to a segment: what goes together, who is told what, and what nobody waits for."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from casty import Unavailable

from skyward_jupyter.collections import lane
from skyward_jupyter.collections.cells import Cell, Put, Step, Take, Write
from skyward_jupyter.collections.journal import Journals
from skyward_jupyter.collections.lane import Lane
from skyward_jupyter.collections.patience import bounded
from skyward_jupyter.collections.presence import Presence
from skyward_jupyter.collections.served import Room
from skyward_jupyter.collections.writer import Mark


class Segment:
    """Notes what it is asked, and answers when it is let: each take with the key that it takes."""

    def __init__(self) -> None:
        self.asked: list[Write] = []
        self.free = asyncio.Event()
        self.failing = range(0)

    async def ask(self, steps: tuple[Step, ...], mark: Mark) -> dict[int, Cell]:
        number = len(self.asked)
        self.asked.append(Write(steps, mark))
        await self.free.wait()
        if number in self.failing:
            raise Unavailable("too few copies took it")
        return {at: step.key for at, step in enumerate(steps) if isinstance(step, Take)}

    @property
    def steps(self) -> list[int]:
        """How many steps each write had."""
        return [len(write.steps) for write in self.asked]


def unreachable(*_: object) -> Any:
    """No cluster is asked for anything here."""
    raise AssertionError


class Writers:
    """A lane, and those who write on it."""

    def __init__(self) -> None:
        self.segment = Segment()
        journals = Journals()
        room = Room(
            unreachable, unreachable, journals, Presence(journals.note), ranks=unreachable, everybody=unreachable
        )
        self.lane: Lane[Step, Cell] = Lane(room, self.segment.ask)

    async def take(self, *keys: bytes) -> Sequence[asyncio.Task[Any]]:
        """Begin to take keys, one write each."""
        taking = [asyncio.create_task(self.lane.write(Take(key, wanted=True))) for key in keys]
        await asyncio.sleep(0)
        return taking


@pytest.fixture
async def writers() -> Writers:
    return Writers()


async def test_what_comes_while_a_write_is_on_its_way_goes_together(writers: Writers) -> None:
    taking = await writers.take(b"a", b"b", b"c", b"d")
    assert writers.segment.steps == [1]
    writers.segment.free.set()
    assert await asyncio.gather(*taking) == [b"a", b"b", b"c", b"d"]
    assert writers.segment.steps == [1, 3]
    assert [write.mark.number for write in writers.segment.asked] == [1, 2]
    assert await writers.lane.write(Put({b"a": b""})) is None
    assert writers.segment.steps == [1, 3, 1]


async def test_what_nobody_waits_for_any_more_is_not_asked_for(writers: Writers) -> None:
    first, second, third = await writers.take(b"a", b"b", b"c")
    second.cancel()
    writers.segment.free.set()
    assert (await first, await third) == (b"a", b"c")
    assert writers.segment.steps == [1, 1]


async def test_one_that_is_interrupted_holds_up_nobody(writers: Writers) -> None:
    first, second = await writers.take(b"a", b"b")
    first.cancel()
    await asyncio.wait([first])
    writers.segment.free.set()
    assert await second == b"b"
    assert [write.mark.number for write in writers.segment.asked] == [1, 2]


async def test_a_write_that_too_few_copies_took_is_asked_for_again_as_the_same(writers: Writers) -> None:
    writers.segment.failing = range(2)
    taking = await writers.take(b"a", b"b")
    writers.segment.free.set()
    assert await asyncio.gather(*taking) == [b"a", b"b"]
    assert [write.mark.number for write in writers.segment.asked] == [1, 1, 1, 2]


async def test_all_whose_steps_were_in_a_write_that_failed_are_told(
    writers: Writers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lane, "_WITHIN", 0.3)
    writers.segment.failing = range(1, 1000)
    first, second, third = await writers.take(b"a", b"b", b"c")
    writers.segment.free.set()
    assert await first == b"a"
    told = await asyncio.gather(second, third, return_exceptions=True)
    assert [type(one) for one in told] in ([TimeoutError] * 2, [Unavailable] * 2)
    writers.segment.failing = range(0)
    assert await writers.lane.write(Take(b"d", wanted=True)) == b"d"


async def test_much_goes_in_several_writes(writers: Writers) -> None:
    writing = [asyncio.create_task(writers.lane.write(Put({b"k": b""}), 400_000)) for _ in range(8)]
    await asyncio.sleep(0)
    writers.segment.free.set()
    await asyncio.gather(*writing)
    assert writers.segment.steps == [1, 2, 2, 2, 1]


async def test_those_that_follow_have_their_own_time(writers: Writers) -> None:
    """The first has little left when the others are sent."""

    async def short() -> None:
        async with bounded(0.5):
            await writers.lane.write(Take(b"a", wanted=True))

    first = asyncio.create_task(short())
    await asyncio.sleep(0)
    (second,) = await writers.take(b"b")
    await asyncio.wait([first])
    assert isinstance(first.exception(), TimeoutError)
    writers.segment.failing = range(1, 4)
    writers.segment.free.set()
    assert await second == b"b"
