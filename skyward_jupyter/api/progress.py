"""How far many calls, or the parts of one, are: one line for whoever waits for them.

In a notebook the line is in the cell that waits, and stays when all have ended; in a terminal it is drawn below the
program's output and goes. It is made by looking at the calls now and then, so none of them costs more for it.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
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
#: Where those are that go on, in words; empty where nothing is said of it.
type Where = Callable[[], str]


@dataclass(frozen=True, slots=True)
class Count:
    """How many have returned, raised and been stopped."""

    done: int = 0
    failed: int = 0
    cancelled: int = 0

    @property
    def ended(self) -> int:
        """All of them."""
        return self.done + self.failed + self.cancelled


class Counted:
    """Counts outcomes, each once."""

    def __init__(self, outcomes: Outcomes) -> None:
        self._left = list(outcomes)
        self._count = Count()

    def __call__(self) -> Count:
        """How many have ended by now."""
        left: list[asyncio.Future[Outcome]] = []
        done = failed = cancelled = 0
        for future in self._left:
            if not future.done():
                left.append(future)
            elif not isinstance(outcome := future.result(), Failure):
                done += 1
            elif isinstance(outcome.error, TaskInterrupted):
                cancelled += 1
            else:
                failed += 1
        self._left = left
        before = self._count
        self._count = Count(before.done + done, before.failed + failed, before.cancelled + cancelled)
        return self._count


class Place(Protocol):
    """Where the line is shown."""

    def show(self, line: str) -> None:
        """Show it as it is now."""
        ...


class Progress:
    """The line of calls side by side, or of the parts of one. Used on the runtime's loop.

    Parameters
    ----------
    count, total
        How many have ended, and how many there are; None when nobody knows.
    label, unit, where
        What they are called, all and each, and where those are that go on.
    paced
        Whether they come one after the other, so that a rate says something.
    rests
        Whether nobody waits just now: then it looks no more until it is begun again.
    asked
        Whether it is shown at once, instead of when it takes long.
    """

    def __init__(
        self,
        count: Callable[[], Count],
        total: int | None,
        label: Callable[[], str],
        *,
        asked: bool,
        unit: str = "call",
        where: Where = str,
        paced: bool = True,
        rests: Callable[[], bool] = bool,
    ) -> None:
        self._count = count
        self._total = total
        self._label = label
        self._unit = unit
        self._paced = paced
        self._rests = rests
        self._where = where
        self._asked = asked
        self._began = time.monotonic()
        self._next: asyncio.TimerHandle | None = None
        self._place: Place | None = None
        self._name = ""

    def begin(self) -> None:
        """Show it in a while, or at once if that is asked for, as part of the cell that runs now."""
        if self._next is not None:
            return
        self._next = asyncio.get_running_loop().call_later(0.0 if self._asked else AFTER, self._look)

    @property
    def rests(self) -> bool:
        """Whether it looks no more, for now or for good."""
        return self._next is None

    def end(self) -> None:
        """Nobody waits any more."""
        self.pause()
        if self._asked and not self._name:
            self._begin()
        if self._place is not None:
            self._place.show(self.line(over=True))
        telling.tell_no_more(self._line)

    def line(self, *, over: bool = False) -> str:
        """It as one line: the bar is as long as what has returned or raised; what was stopped is only counted."""
        from skyward_jupyter.notebook.bars import Group, line

        count = self._count()
        elapsed = time.monotonic() - self._began
        left = self._total - count.ended if self._total is not None else 0
        going_on = f"left{self._where()}" if left and not over else "left"
        counts = ((count.done, "done"), (count.failed, "failed"), (count.cancelled, "cancelled"), (left, going_on))
        note = ", ".join(f"{number:,} {word}" for number, word in counts if number)
        state: State = "running" if not over else "stopped" if left else "done"
        came = count.done + count.failed
        bar = Bar("", state, came, self._total, elapsed, label=self._name, unit=self._unit, note=note)
        return line(Group({0: bar}), labelled=False, paced=self._paced)

    def pause(self) -> None:
        """Look no more for now."""
        if self._next is not None:
            self._next.cancel()
            self._next = None

    def _line(self) -> str:
        return self.line()

    def _look(self) -> None:
        """Show how far it is, and look again."""
        began = time.monotonic()
        self._next = None
        if self._rests():
            return
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


@contextlib.contextmanager
def followed(
    outcomes: Outcomes,
    label: Callable[[], str],
    asked: bool | None = None,
    *,
    shown: bool,
    unit: str = "call",
    where: Where = str,
    paced: bool = True,
) -> Iterator[None]:
    """Show how far calls are while inside, if it is `asked` for; when that is left open, if it takes long.

    `shown` is whether anything is shown of the pool, the rest as of `Progress`.
    """
    if asked is False or not shown or len(outcomes) < 2:
        yield
        return
    count, asked = Counted(outcomes), bool(asked)
    progress = Progress(count, len(outcomes), label, asked=asked, unit=unit, where=where, paced=paced)
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
