"""Only so many nodes join at a time, and none keeps the others out for ever."""

from __future__ import annotations

import asyncio

import pytest

from skyward_jupyter.fleets import admission
from skyward_jupyter.fleets.admission import AT_ONCE, Admission


async def test_those_beyond_the_door_wait_their_turn() -> None:
    door, began = Admission(), list[int]()
    for rank in range(AT_ONCE + 2):
        door.ask(rank, lambda rank=rank: began.append(rank))  # type: ignore[misc]
    assert began == list(range(AT_ONCE))
    assert not door.leave(3)
    assert began == list(range(AT_ONCE + 1))
    door.close()


async def test_one_that_is_called_off_never_begins() -> None:
    door, began = Admission(), list[int]()
    for rank in range(AT_ONCE + 2):
        door.ask(rank, lambda rank=rank: began.append(rank))  # type: ignore[misc]
    assert door.leave(AT_ONCE)
    door.leave(0)
    assert AT_ONCE not in began
    assert AT_ONCE + 1 in began
    door.close()


async def test_one_that_does_not_get_there_keeps_nobody_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(admission, "WITHIN", 0.05)
    door = Admission()
    for rank in range(AT_ONCE):
        door.ask(rank, lambda: None)
    await asyncio.wait_for(door.turn(99), 10)
    door.close()


async def test_who_gives_up_waiting_has_no_turn() -> None:
    door, began = Admission(), list[int]()
    for rank in range(AT_ONCE):
        door.ask(rank, lambda: None)
    waiting = asyncio.create_task(door.turn(50))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.wait([waiting])
    door.ask(51, lambda: began.append(51))
    door.leave(0)
    assert began == [51]
    door.close()
