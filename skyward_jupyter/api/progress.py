"""How far calls side by side are, as one line for whoever waits for them.

In a notebook the line is in the cell that waits, and stays when all have ended; in a terminal it is drawn below the
program's output and goes. It is made by looking at the calls now and then, so none of them costs more for it.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol

from skyward_jupyter.errors import TaskInterrupted, UsageError
from skyward_jupyter.runtime import telling
from skyward_jupyter.runtime.cells import kernel_shell
from skyward_jupyter.runtime.shells import ipython_shell
from skyward_jupyter.wire.events import Failure, Outcome
from skyward_jupyter.wire.progress import Bar, State

#: Seconds that are waited before anything is shown, unless it is asked for;
AFTER = 2.0
#: and between two looks, which take at most one part in so many of the time.
EVERY, SHARE = 0.25, 20

type Outcomes = Sequence[asyncio.Future[Outcome]]


class Place(Protocol):
    """Where the line is shown."""

    def show(self, line: str) -> None:
        """Show it as it is now."""
        ...


class Progress:
    """Calls side by side, and how many of them have ended. Used on the runtime's loop.

    Attributes
    ----------
    done, failed, cancelled
        How many have returned, raised, and were stopped.
    """

    def __init__(self, outcomes: Outcomes, label: Callable[[], str], *, asked: bool) -> None:
        self.done = self.failed = self.cancelled = 0
        self._total = len(outcomes)
        self._left = list(outcomes)
        self._label = label
        self._asked = asked
        self._began = time.monotonic()
        self._next: asyncio.TimerHandle | None = None
        self._place: Place | None = None
        self._name = ""

    def begin(self) -> None:
        """Show it in a while, or at once if that is asked for, as part of the cell that runs now."""
        self._next = asyncio.get_running_loop().call_later(0.0 if self._asked else AFTER, self._look)

    def end(self) -> None:
        """Nobody waits any more."""
        if self._next is not None:
            self._next.cancel()
        self._count()
        if self._asked and not self._name:
            self._begin()
        if self._place is not None:
            self._place.show(self.line(over=True))
        telling.tell_no_more(self._line)

    def line(self, *, over: bool = False) -> str:
        """It as one line."""
        from skyward_jupyter.notebook.bars import Group, line

        ended = self.done + self.failed + self.cancelled
        elapsed = time.monotonic() - self._began
        counts = ((self.failed, "failed"), (self.cancelled, "cancelled"), (self._total - ended, "left"))
        note = ", ".join(f"{count:,} {word}" for count, word in ((self.done, "done"), *counts) if count)
        state: State = "running" if not over else "done" if ended == self._total else "stopped"
        bar = Bar("", state, ended, self._total, elapsed, label=self._name, unit="call", note=note)
        return line(Group({0: bar}), labelled=False)

    def _line(self) -> str:
        return self.line()

    def _look(self) -> None:
        """Show how far it is, and look again."""
        began = time.monotonic()
        self._count()
        if not self._name:
            if not self._asked and not automatic():
                return
            self._begin()
        elif self._place is not None:
            self._place.show(self.line())
        pause = max(EVERY, SHARE * (time.monotonic() - began))
        self._next = asyncio.get_running_loop().call_later(pause, self._look)

    def _begin(self) -> None:
        """Show it for the first time."""
        self._name = self._label()
        if kernel_shell() is None:
            telling.tell(self._line)
            return
        from skyward_jupyter.notebook.placing import CellPlace

        self._place = CellPlace()
        self._place.show(self.line())

    def _count(self) -> None:
        """Count those that have ended since the last time."""
        left: list[asyncio.Future[Outcome]] = []
        for future in self._left:
            if not future.done():
                left.append(future)
            elif not isinstance(outcome := future.result(), Failure):
                self.done += 1
            elif isinstance(outcome.error, TaskInterrupted):
                self.cancelled += 1
            else:
                self.failed += 1
        self._left = left


@contextlib.contextmanager
def followed(outcomes: Outcomes, label: Callable[[], str], asked: bool | None, *, shown: bool) -> Iterator[None]:
    """Show how far calls are while inside, if it is `asked` for; when that is left open, if it takes long.

    `shown` is whether anything is shown of the pool.
    """
    if asked is False or not shown or len(outcomes) < 2:
        yield
        return
    progress = Progress(outcomes, label, asked=bool(asked))
    progress.begin()
    try:
        yield
    finally:
        progress.end()


def label_of(functions: Sequence[Callable[..., Any]]) -> str:
    """What calls of these functions are called: as the function, where it is one."""
    names = {getattr(function, "__name__", "") for function in functions}
    name = names.pop() if len(names) == 1 else ""
    return name if name and name != "<lambda>" else "calls"


def automatic() -> bool:
    """Whether progress is shown without being asked for: `%config Skyward.progress`."""
    loaded = getattr(ipython_shell(), "_skyward_loaded", None)
    return bool(loaded is None or loaded.notebook.settings.progress)


def checked_progress(progress: object) -> bool | None:
    """`progress`, if it says something about a bar."""
    if progress is not None and not isinstance(progress, bool):
        text = f"progress is {progress!r}; say True for a bar at once, False for none"
        raise UsageError(f"{text}, or leave it out for one when it takes long")
    return progress
