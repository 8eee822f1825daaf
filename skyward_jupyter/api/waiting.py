"""What a cell waits for, as one line in it: for what, for how long, and how to end that; nothing of it stays.

A cell has one such line, however many calls it waits for. What takes less than a second shows nothing, and the calls
of a loop that take a little longer each do not make the line flicker: each time it was taken away, the next wait of the
same cell has to last twice as long before it is shown again. Outside a notebook there is none: a terminal draws its
pools while a program waits, and what is no terminal is left alone.

Everything here is used on the runtime's loop, in the context of the cell.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterator
from contextvars import ContextVar

from skyward_jupyter.api.progress import automatic
from skyward_jupyter.runtime.bridge import LONG
from skyward_jupyter.runtime.cells import cell_and_messages, kernel_shell

#: Seconds between two looks, at first; they become fewer, at most one part in so many of the wait.
EVERY, SHARE, SELDOM = 0.25, 60, 30.0
#: So many reasons are said, more are counted; and so many cells are remembered whose line was taken away.
REASONS, CELLS = 3, 8
#: What an interrupt does: to what is waited for, or else only to the wait.
STOPS, LEAVES = "interrupt the kernel to stop it", "interrupt the kernel to stop waiting"

type Reason = Callable[[], str]

#: Whether the cell says by itself for what it waits.
_said_elsewhere: ContextVar[bool] = ContextVar("said_elsewhere", default=False)
_lines: dict[str, _Line] = {}


class Wait:
    """One of what a cell waits for."""

    def __init__(self, line: _Line, reason: Reason, since: float, stops: bool) -> None:
        self.reason = reason
        self.since = since
        self.stops = stops
        self._line = line

    def end(self) -> None:
        """It is over."""
        self._line.drop(self)


class _Line:
    """The line of one cell."""

    def __init__(self) -> None:
        from skyward_jupyter.notebook.placing import CellPlace

        self._place = CellPlace()
        self._waits: list[Wait] = []
        self._after = 0.0
        self._next: asyncio.TimerHandle | None = None
        self._shown = False

    def add(self, reason: Reason, since: float, stops: bool) -> Wait:
        """Say this too."""
        wait = Wait(self, reason, since, stops)
        self._waits.append(wait)
        if self._next is None:
            self._next = asyncio.get_running_loop().call_later(self._after, self._look)
        return wait

    def drop(self, wait: Wait) -> None:
        """Say it no more; with the last, take the line away."""
        if wait in self._waits:
            self._waits.remove(wait)
        if self._waits or self._next is None:
            return
        self._next.cancel()
        self._next = None
        self._hide()

    @property
    def idle(self) -> bool:
        """Whether nothing is waited for."""
        return not self._waits

    def _look(self) -> None:
        waited = time.monotonic() - min(wait.since for wait in self._waits)
        reasons = dict.fromkeys(reason for wait in self._waits if (reason := wait.reason()))
        if reasons:
            self._place.show(said(list(reasons), waited, stops=all(wait.stops for wait in self._waits)))
            self._shown = True
        else:
            self._hide()
        pause = min(SELDOM, max(EVERY, waited / SHARE))
        self._next = asyncio.get_running_loop().call_later(pause, self._look)

    def _hide(self) -> None:
        if self._shown:
            self._shown = False
            self._after = 2 * self._after + LONG
            self._place.blank()


def said(reasons: list[str], seconds: float, *, stops: bool) -> str:
    """The line as it is written."""
    from skyward_jupyter.widgets.static import duration

    more = [f"{len(reasons) - REASONS} more"] if len(reasons) > REASONS else []
    return f"waiting for {'; '.join([*reasons[:REASONS], *more])} · {duration(seconds)} · {STOPS if stops else LEAVES}"


def begin(reason: Reason, since: float, *, stops: bool) -> Wait | None:
    """Say in the cell that runs for what it waits since then (monotonic seconds); None where nothing is said.

    `stops` is whether an interrupt stops what is waited for, and not the wait alone.
    """
    if kernel_shell() is None or _said_elsewhere.get() or not automatic():
        return None
    cell, _ = cell_and_messages()
    line = _lines.get(cell)
    if line is None:
        line = _lines[cell] = _Line()
        for known in [name for name, one in _lines.items() if one.idle and one is not line][:-CELLS]:
            del _lines[known]
    return line.add(reason, since, stops)


@contextlib.contextmanager
def waits_for(reason: Reason, *, stops: bool = False) -> Iterator[None]:
    """Say for what is waited while inside, if that takes long; `stops` is as of `begin`."""
    if kernel_shell() is None:
        yield
        return
    begun: list[Wait | None] = []
    since = time.monotonic()
    later = asyncio.get_running_loop().call_later(LONG, lambda: begun.append(begin(reason, since, stops=stops)))
    try:
        yield
    finally:
        later.cancel()
        for wait in begun:
            if wait is not None:
                wait.end()


@contextlib.contextmanager
def unsaid() -> Iterator[None]:
    """Have nothing said of what is waited for while inside, because it is shown otherwise."""
    token = _said_elsewhere.set(True)
    try:
        yield
    finally:
        _said_elsewhere.reset(token)


def says_itself() -> None:
    """Whoever calls this says for what it waits: nothing else does, in this task."""
    _said_elsewhere.set(True)
