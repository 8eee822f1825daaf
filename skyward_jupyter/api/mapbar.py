"""How far the jobs of `Executor.map` are, as the bar of the cell that reads their results.

The bar begins with the first result that is waited for and ends with the last; while nobody reads, it rests, and read
on in another cell, there is another one there. It looks at the jobs now and then, so none of them costs more for it.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable, Sized
from concurrent.futures import Future
from typing import Any

from skyward_jupyter.api.progress import Count, Progress
from skyward_jupyter.api.sending import on_loop
from skyward_jupyter.errors import TaskInterrupted
from skyward_jupyter.runtime.bridge import runtime
from skyward_jupyter.runtime.cells import current_cell

#: Seconds after a result was read for which more are expected to be.
_RESTS = 3.0


class MapBar:
    """The bar of one map. All but `read`, `given` and `over` is done on the runtime's loop.

    Parameters
    ----------
    name
        What is called.
    total, width
        How many items there are, None when nobody knows, and how many of them make a job.
    asked
        Whether it is shown at once, or never; None for when it takes long.
    """

    def __init__(self, name: str, total: int | None, width: int, asked: bool | None) -> None:
        self._name = name
        self._total = total
        self._width = width
        self._asked = asked
        self._jobs: deque[Future[Any]] = deque()
        self._given = 0
        self._read = 0.0
        self._waits = self._over = False
        self._error: BaseException | None = None
        self._cell = -1
        self._progress: Progress | None = None

    def read(self, jobs: deque[Future[Any]]) -> None:
        """The first of these is waited for, by whoever calls this."""
        self._jobs, self._waits, self._read = jobs, True, time.monotonic()
        cell = current_cell()
        if self._asked is not False and (cell != self._cell or (self._progress is not None and self._progress.rests)):
            runtime().call_soon(self._enter, cell != self._cell)
            self._cell = cell

    def given(self) -> None:
        """It was given."""
        self._given, self._waits = self._given + 1, False

    def over(self, error: BaseException | None) -> None:
        """Nothing is read any more: all were given, or it was left, or one has failed with this."""
        self._over, self._error = True, error
        if self._progress is not None and runtime().in_cell:
            on_loop(self._end)
        else:
            runtime().call_soon(self._end)

    def _enter(self, anew: bool) -> None:
        if self._over:
            return
        if anew or self._progress is None:
            if self._progress is not None:
                self._progress.pause()
            label = self._name if self._name and self._name != "<lambda>" else "calls"
            self._progress = Progress(
                self._count, self._total, lambda: label, asked=bool(self._asked), rests=self._is_left_alone
            )
        self._progress.begin()

    def _end(self) -> None:
        if self._progress is not None:
            self._progress.end()

    def _is_left_alone(self) -> bool:
        return not self._waits and time.monotonic() - self._read > _RESTS

    def _count(self) -> Count:
        """How many items have ended; of those that were given, all well."""
        done, failed, cancelled = self._given, 0, 0
        if self._error is not None and self._waits:  # that of the job that was waited for
            stopped = isinstance(self._error, TaskInterrupted) or not isinstance(self._error, Exception)
            failed, cancelled = int(not stopped), int(stopped)
        for job in list(self._jobs):
            if job.cancelled():
                cancelled += 1
            elif job.done():
                error = job.exception()
                done += error is None
                failed += error is not None and not isinstance(error, TaskInterrupted)
                cancelled += isinstance(error, TaskInterrupted)
        counts = [number * self._width for number in (done, failed, cancelled)]
        if self._total is not None and (more := sum(counts) - self._total) > 0:
            counts[max(range(3), key=counts.__getitem__)] -= more  # the last job has fewer items than the others
        return Count(*counts)


def total_of(iterables: Iterable[object]) -> int | None:
    """How many items a map over these has; None when that is not known before they are read."""
    sizes = [len(each) if isinstance(each, Sized) else None for each in iterables]
    known = [size for size in sizes if size is not None]
    return min(known) if known and len(known) == len(sizes) else None
