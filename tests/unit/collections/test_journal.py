"""What was done lately: told once, bounded, and kept only while somebody asks."""

from __future__ import annotations

import asyncio

import pytest

from skyward_jupyter.collections import journal as module
from skyward_jupyter.collections.journal import ROOM, Journals


async def begun(journals: Journals) -> int:
    number, keys = await journals.follow("dict", "a", 0, 0.01)
    assert keys is None
    return number


async def test_nothing_is_kept_while_nobody_asks() -> None:
    journals = Journals()
    journals.note("dict", "a", [b"1"])
    assert not journals._kept


async def test_what_came_after_a_number_is_told_once() -> None:
    journals = Journals()
    number = await begun(journals)
    journals.note("dict", "a", [b"1", b"2"])
    journals.note("dict", "a", [b"1"])
    journals.note("dict", "b", [b"3"])
    number, keys = await journals.follow("dict", "a", number, 5)
    assert keys == (b"1", b"2")
    assert await journals.follow("dict", "a", number, 0.01) == (number, ())


async def test_who_waits_hears_at_once() -> None:
    journals = Journals()
    number = await begun(journals)
    waiting = asyncio.create_task(journals.follow("dict", "a", number, 60))
    await asyncio.sleep(0)
    journals.note("dict", "a", [b"1"])
    _, keys = await asyncio.wait_for(waiting, 5)
    assert keys == (b"1",)


async def test_a_burst_and_a_clear_are_told_as_anything() -> None:
    journals = Journals()
    number = await begun(journals)
    journals.note("dict", "a", [b"%d" % key for key in range(ROOM + 1)])
    later, keys = await journals.follow("dict", "a", number, 5)
    assert keys is None
    journals.note("dict", "a")
    assert (await journals.follow("dict", "a", later, 5))[1] is None


async def test_a_number_of_another_journal_is_told_anything() -> None:
    journals = Journals()
    number = await begun(Journals())
    assert (await journals.follow("dict", "a", number, 0.01))[1] is None


async def test_it_ends_when_nobody_has_asked_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    journals = Journals()
    await begun(journals)
    monkeypatch.setattr(module, "FORGET", -1.0)
    journals.note("dict", "a", [b"1"])
    assert not journals._kept
