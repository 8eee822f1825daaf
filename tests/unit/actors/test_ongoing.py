"""What is told of tasks that have not ended."""

from __future__ import annotations

import asyncio

import pytest

from skyward_jupyter.actors.desk import Desk, TaskEntry
from skyward_jupyter.actors.ongoing import QUEUED, RUNNING, WAITING, Begun, ongoing
from skyward_jupyter.wire.messages import Code, Load


def load(*tasks: tuple[int, float]) -> Load:
    return Load(0.0, 0.0, len(tasks), 0, len(tasks), tasks=tasks)


def entry(desk: Desk, number: int, rank: int | None = None, *, session: bool = False) -> TaskEntry:
    loop = asyncio.new_event_loop()
    future = loop.create_future()
    loop.close()
    made = TaskEntry(number, Code("", b""), b"", future, name="train", session=session, rank=rank, queued=90.0, cell=5)
    made.sent = 95.0 if rank is not None else 0.0
    desk.tasks[number] = made
    return made


def test_what_runs_what_waits_there_and_what_waits_here() -> None:
    desk, begun = Desk(), Begun()
    for number, rank in ((1, 0), (2, 0), (3, None)):
        entry(desk, number, rank)
    begun.heard({0: load((1, 4.0))}, 100.0, desk)
    found = [(one.task, one.node, one.sent, one.began, one.cell) for one in ongoing(desk, begun)]
    assert found == [(1, 0, 95.0, 96.0, 5), (2, 0, 95.0, 0.0, 5), (3, -1, 0.0, 0.0, 5)]


def test_a_node_that_does_not_answer_leaves_what_was_known() -> None:
    desk, begun = Desk(), Begun()
    entry(desk, 1, 0)
    begun.heard({0: load((1, 4.0))}, 100.0, desk)
    begun.heard({0: load()}, 100.5, desk)
    assert ongoing(desk, begun)[0].began == 96.0
    del desk.tasks[1]
    begun.heard({0: load()}, 101.0, desk)
    assert begun.of(entry(desk, 1, 0)) == 0.0


def test_a_cell_is_called_so_and_nothing_begins_before_it_was_sent() -> None:
    desk, begun = Desk(), Begun()
    entry(desk, 1, 0, session=True)
    begun.heard({0: load((1, 50.0))}, 100.0, desk)
    (found,) = ongoing(desk, begun)
    assert (found.name, found.began) == ("cell", 95.0)


def test_what_has_ended_is_not_told_of() -> None:
    desk, begun = Desk(), Begun()
    loop = asyncio.new_event_loop()
    ended = entry(desk, 1, 0)
    ended.outcome = loop.create_future()
    ended.outcome.cancel()
    loop.close()
    assert ongoing(desk, begun) == ()


@pytest.mark.parametrize(("rank", "most"), [(0, WAITING), (None, QUEUED)])
def test_there_are_bounds(rank: int | None, most: int) -> None:
    desk = Desk()
    for number in range(1, 1000):
        entry(desk, number, rank)
    assert len(ongoing(desk, Begun())) == most
    assert most < RUNNING
