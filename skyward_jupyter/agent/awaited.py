"""Running what a cell awaits where IPython runs the event loop itself: on a node, and in a terminal.

An interrupt cancels it, as it does in `asyncio.run`: its ``finally`` runs, and nothing of it goes on in later cells.
IPython alone leaves it where it was, and the next cell that awaits something would go on with it.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import threading
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from IPython.core.async_helpers import get_asyncio_loop


class Awaiting:
    """What the shell of IPython calls to run a coroutine."""

    def __init__(self, shell: Any) -> None:
        self._shell = shell

    def __call__(self, work: Coroutine[Any, Any, Any]) -> Any:
        """Run `work` to its end on IPython's loop, and return what it gives."""
        loop = get_asyncio_loop()
        task = loop.create_task(work)
        with _cancelling(loop, task) as interrupted, _told(self._shell, interrupted):
            try:
                return loop.run_until_complete(task)
            except asyncio.CancelledError as error:
                if not interrupted:
                    raise
                raise KeyboardInterrupt().with_traceback(error.__traceback__) from None
            except BaseException:
                _end(loop, task)
                raise

    def __str__(self) -> str:
        return "asyncio"


@contextmanager
def _cancelling(loop: asyncio.AbstractEventLoop, task: asyncio.Task[Any]) -> Iterator[list[bool]]:
    """Have SIGINT cancel `task` while the loop waits; in code that runs it is what it was. Gives whether it did."""
    interrupted: list[bool] = []
    before = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(before):
        yield interrupted
        return

    def handle(number: int, frame: FrameType | None) -> None:
        if asyncio.current_task(loop) is not None or task.done():
            before(number, frame)
            return
        interrupted.append(True)
        loop.call_soon_threadsafe(task.cancel)

    signal.signal(signal.SIGINT, handle)
    try:
        yield interrupted
    finally:
        if signal.getsignal(signal.SIGINT) is handle:
            signal.signal(signal.SIGINT, before)


@contextmanager
def _told(shell: Any, interrupted: list[bool]) -> Iterator[None]:
    """Have the shell, which shows itself what a cell raised, call the cancelling of an interrupted one by its cause."""
    own = shell.showtraceback

    def showtraceback(exc_tuple: Any = None, *args: Any, **options: Any) -> None:
        kind, _, tb = shell._get_exc_info(exc_tuple)
        if interrupted and issubclass(kind, asyncio.CancelledError):
            exc_tuple = KeyboardInterrupt, KeyboardInterrupt().with_traceback(tb), tb
        own(exc_tuple, *args, **options)

    shell.showtraceback = showtraceback
    try:
        yield
    finally:
        del shell.showtraceback


def _end(loop: asyncio.AbstractEventLoop, task: asyncio.Task[Any]) -> None:
    """What was raised is not its own: it came from something else that the loop ran."""
    if not task.done():
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            loop.run_until_complete(task)
