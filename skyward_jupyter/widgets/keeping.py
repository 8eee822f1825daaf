"""Keeps what outputs hold of living views up to date: text and HTML, all that is left when the kernel is gone.

After each cell they are what is then. No cell waits for that, except where somebody executes a notebook who listens no
longer once the kernel has said that the cell has ended. In between, a change that is known here is in them within
`EVERY` seconds. Nothing is sent while nothing has changed, so that a notebook in which nothing goes on stays saved.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from skyward_jupyter.errors import SkywardError
from skyward_jupyter.runtime.bridge import runtime, wait
from skyward_jupyter.runtime.cells import kernel_shell
from skyward_jupyter.widgets import hosting

if TYPE_CHECKING:
    from skyward_jupyter.widgets.view import View

EVERY = 5.0
#: The most seconds that are waited, after a cell, for what has to be read first.
WITHIN = 1.0

_kept: list[View] = []
_clock: list[asyncio.TimerHandle] = []
_heard: list[bool] = []
_due: list[bool] = []
_working: list[asyncio.Task[None]] = []


def keep(view: View) -> None:
    """Keep what displays a view up to date until it is left alone; any thread."""
    if view in _kept:
        return
    _kept.append(view)
    runtime().call_soon(_wind)
    shell = kernel_shell()
    if shell is not None and not _heard:
        _heard.append(True)
        shell.events.register("post_execute", _cell_ended)


def leave(view: View) -> None:
    """Nothing displays it any more, or it says nothing new."""
    if view in _kept:
        _kept.remove(view)


def _wind() -> None:
    if not _clock:
        _clock.append(runtime().loop.call_later(EVERY, _tick))


def _tick() -> None:
    _clock.clear()
    for view in _kept.copy():
        view.keep()
    if _kept:
        _wind()


def _cell_ended() -> None:
    """Have outputs say what is now; an interrupt leaves it at that."""
    if not _kept:
        return
    if hosting.watched():
        runtime().call_soon(_begin)
        return
    with contextlib.suppress(SkywardError, KeyboardInterrupt):
        wait(_keep_all())


def _begin() -> None:
    """Keep all beside whatever goes on; once more where a cell ends meanwhile."""
    _due[:] = [True]
    if not _working or _working[0].done():
        _working[:] = [runtime().spawn(_keep_while_due())]


async def _keep_while_due() -> None:
    while _due:
        _due.clear()
        await _keep_all()


async def _keep_all() -> None:
    views = _kept.copy()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(WITHIN):
            await asyncio.gather(*(view.look() for view in views))
    for view in views:
        view.keep()
