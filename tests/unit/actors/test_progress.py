"""How far runs are: what is told of that, and when."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from skyward_jupyter.actors import progress as module
from skyward_jupyter.actors.bus import Bus, Listener
from skyward_jupyter.actors.desk import Desk, TaskEntry
from skyward_jupyter.actors.progress import Progress
from skyward_jupyter.events import RunProgress
from skyward_jupyter.wire.messages import Code


class Runs:
    """Runs without a pool, and what is told of them."""

    def __init__(self) -> None:
        self.bus, self.desk = Bus("lab"), Desk()
        self.progress = Progress(self.desk, self.bus)
        self.told: list[RunProgress] = []
        self.changed = asyncio.Event()

    def listen(self) -> Listener:
        return self.bus.listen((RunProgress,), self._hear)

    def _hear(self, event: RunProgress) -> None:
        self.told.append(event)
        self.changed.set()

    def begin(self, parts: int, label: str = "train", *, session: bool = False) -> list[TaskEntry]:
        outcome = asyncio.get_running_loop().create_future
        ids = [self.desk.next_id() for _ in range(parts)]
        run = [
            TaskEntry(each, Code("", b""), b"", outcome(), run=ids[0], parts=parts, label=label, session=session)
            for each in ids
        ]
        self.desk.tasks.update((entry.id, entry) for entry in run)
        self.progress.begun(run[0])
        return run

    def end(self, *entries: TaskEntry) -> None:
        for entry in entries:
            del self.desk.tasks[entry.id]
            self.progress.ended(entry)

    async def until(self, done: Callable[[list[int]], bool]) -> list[int]:
        async with asyncio.timeout(10):
            while not done(seen := [event.done for event in self.told]):
                self.changed.clear()
                await self.changed.wait()
        return seen


@pytest.fixture
async def runs() -> Runs:
    return Runs()


async def test_a_run_is_told_when_it_begins_now_and_then_and_at_its_end(runs: Runs) -> None:
    runs.listen()
    run = runs.begin(1000)
    runs.end(*run[:600])
    assert await runs.until(lambda seen: 600 in seen) == [0, 600]
    runs.end(*run[600:])
    assert (await runs.until(lambda seen: 1000 in seen))[-1] == 1000
    assert {(event.run, event.what, event.total) for event in runs.told} == {(run[0].id, "train", 1000)}
    assert not runs.progress._runs


async def test_runs_side_by_side_do_not_hold_each_other_up(runs: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "EVERY", 1000.0)
    runs.listen()
    one, other = runs.begin(2, "one"), runs.begin(2, "other")
    runs.end(*other, *one)
    await runs.until(lambda seen: len(seen) == 4)
    assert [(event.what, event.done) for event in runs.told] == [("one", 0), ("other", 0), ("other", 2), ("one", 2)]


async def test_who_listens_later_hears_the_truth(runs: Runs) -> None:
    run = runs.begin(10)
    runs.end(*run[:6])
    assert not runs.progress._runs
    listener = runs.listen()
    runs.end(run[6])
    assert await runs.until(bool) == [7]
    runs.bus.remove(listener)
    runs.end(run[7])
    runs.listen()
    runs.end(run[8])
    assert await runs.until(lambda seen: len(seen) == 2) == [7, 9]


async def test_single_calls_have_no_progress_and_cells_do(runs: Runs) -> None:
    runs.listen()
    runs.end(*runs.begin(1))
    runs.end(*runs.begin(1, "import numpy", session=True))
    await runs.until(lambda seen: len(seen) == 2)
    assert [(event.what, event.done) for event in runs.told] == [("import numpy", 0), ("import numpy", 1)]


async def test_listening_for_it_makes_no_events_of_tasks(runs: Runs) -> None:
    runs.listen()
    assert not runs.bus.tasks
