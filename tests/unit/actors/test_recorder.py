"""What the record of a pool says of the calls that wait."""

from __future__ import annotations

import asyncio

from skyward_jupyter.actors.desk import TaskEntry
from skyward_jupyter.actors.recorder import MOST_NOTED, waiting_runs
from skyward_jupyter.providers.records import WaitingRun
from skyward_jupyter.wire.messages import Code


def entries(*runs: tuple[int, int, str]) -> list[TaskEntry]:
    """Tasks that wait: of each run its first number, how many parts it has, and what it is."""
    loop = asyncio.new_event_loop()
    made = [
        TaskEntry(
            first + part, Code("", b""), b"", loop.create_future(), run=first, parts=parts, label=label, queued=5.0
        )
        for first, parts, label in runs
        for part in range(parts)
    ]
    loop.close()
    return made


def test_a_run_is_named_once_and_whole() -> None:
    waiting = entries((10, 4, "nap"), (20, 2, "walk"))
    assert waiting_runs(waiting[2:]) == (WaitingRun(10, 4, "nap", 5.0), WaitingRun(20, 2, "walk", 5.0))
    assert waiting_runs([]) == ()


def test_single_calls_in_a_row_are_one_entry() -> None:
    waiting = entries((1, 1, "nap"), (2, 1, "nap"), (3, 1, "walk"), (4, 3, "nap"), (7, 1, "nap"), (9, 1, "nap"))
    assert waiting_runs(waiting) == (
        WaitingRun(1, 2, "nap", 5.0, separate=True),
        WaitingRun(3, 1, "walk", 5.0, separate=True),
        WaitingRun(4, 3, "nap", 5.0),
        WaitingRun(7, 1, "nap", 5.0, separate=True),
        WaitingRun(9, 1, "nap", 5.0, separate=True),
    )


def test_there_is_a_bound() -> None:
    assert len(waiting_runs(entries(*((10 * n, 2, "nap") for n in range(1, 500))))) == MOST_NOTED
