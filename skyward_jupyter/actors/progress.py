"""How far the runs of a pool are, for those who listen for `RunProgress`; while nobody does, nothing is kept."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from skyward_jupyter.actors.bus import Bus
from skyward_jupyter.actors.desk import Desk, TaskEntry
from skyward_jupyter.events import RunProgress

#: The least time between two events of one run (seconds); the first and the last come at once.
EVERY = 0.1


@dataclass(slots=True)
class _Run:
    """A run that goes on."""

    what: str
    total: int
    done: int
    timer: asyncio.TimerHandle | None = None
    untold: bool = False


class Progress:
    """Counts the tasks of each run that have ended."""

    def __init__(self, desk: Desk, events: Bus) -> None:
        self._desk = desk
        self._events = events
        self._runs: dict[int, _Run] = {}

    def begun(self, first: TaskEntry) -> None:
        """A run has begun, and this is its first task."""
        if self._events.wants(RunProgress) and _counts(first):
            self._tell(first.run, self._run(first))

    def ended(self, entry: TaskEntry) -> None:
        """A task has ended, and is in flight no more."""
        if not (self._events.wants(RunProgress) and _counts(entry)):
            # Who listens again later must not be told what was counted before.
            if self._runs:
                self._drop(entry.run)
            return
        known = self._runs.get(entry.run)
        run = known or self._run(entry)
        run.done += known is not None
        if run.done >= run.total:
            self._drop(entry.run)
            self._emit(entry.run, run)
        elif run.timer is None:
            self._tell(entry.run, run)
        else:
            run.untold = True

    def _run(self, entry: TaskEntry) -> _Run:
        """Count a run from now on: what is not in flight any more has ended, whether somebody listened or not."""
        left = sum(other.run == entry.run for other in self._desk.tasks.values())
        run = self._runs[entry.run] = _Run(entry.label, entry.parts, entry.parts - left)
        return run

    def _tell(self, number: int, run: _Run) -> None:
        run.untold = False
        run.timer = asyncio.get_running_loop().call_later(EVERY, self._later, number, run)
        self._emit(number, run)

    def _later(self, number: int, run: _Run) -> None:
        run.timer = None
        if run.untold:
            self._tell(number, run)

    def _emit(self, number: int, run: _Run) -> None:
        self._events.emit(RunProgress, number, run.what, run.done, run.total)

    def _drop(self, number: int) -> None:
        run = self._runs.pop(number, None)
        if run is not None and run.timer is not None:
            run.timer.cancel()


def _counts(entry: TaskEntry) -> bool:
    """A single call is done or not, which is no progress."""
    return entry.parts > 1 or entry.session
