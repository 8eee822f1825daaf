"""Waiting on one event loop for what runs on another.

Whoever waits is told once that has ended, also where the wait was cancelled: nothing goes on for nobody.
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
from asyncio import events, tasks
from collections.abc import Awaitable, Iterator
from contextlib import contextmanager


class Crossing[T]:
    """Something that runs on `loop`, for somebody elsewhere: a coroutine, or a future of that loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop, awaitable: Awaitable[T]) -> None:
        if asyncio.isfuture(awaitable) and awaitable.get_loop() is not loop:
            raise ValueError(f"{awaitable!r} belongs to another loop than the one it shall be awaited on")
        self._loop = loop
        self._awaitable = awaitable
        self._task: asyncio.Future[T] | None = None
        self._cancelled = False

    def begin(self) -> asyncio.Future[T]:
        """Start it, on its loop, or from the thread that runs that next."""
        if self._task is None:
            self._task = asyncio.ensure_future(self._awaitable, loop=self._loop)
            if self._cancelled:
                self._task.cancel()
        return self._task

    def cancel(self) -> None:
        """Cancel it, from any thread or signal handler; done before it starts, it ends as it starts."""
        self._cancelled = True
        if self._task is not None:
            self._loop.call_soon_threadsafe(self._task.cancel)

    async def ended(self) -> T:
        """What it gives or raises, awaited on the loop that runs here; cancelled, it is cancelled and has ended."""
        here = asyncio.get_running_loop()
        told: asyncio.Future[None] = here.create_future()

        def tell(_: object) -> None:
            with contextlib.suppress(RuntimeError):  # that loop is closed: nobody waits
                here.call_soon_threadsafe(_settle, told)

        self._loop.call_soon_threadsafe(lambda: self.begin().add_done_callback(tell))
        try:
            while not told.done():
                try:
                    await asyncio.shield(told)
                except asyncio.CancelledError:
                    self.cancel()
        finally:
            if not told.done():
                self.cancel()  # who waited is closed, not cancelled
        return self.begin().result()

    def drop(self) -> None:
        """Nobody waits for it; it has not begun."""
        drop(self._awaitable)


def drop(awaitable: Awaitable[object]) -> None:
    """Nobody will await it, unless somebody does already."""
    if inspect.iscoroutine(awaitable) and inspect.getcoroutinestate(awaitable) == inspect.CORO_CREATED:
        awaitable.close()


@contextmanager
def outside(loop: asyncio.AbstractEventLoop) -> Iterator[None]:
    """Let another loop run inside the block, from code that runs on `loop`."""
    task = tasks.current_task(loop)
    if task is not None:
        tasks._leave_task(loop, task)
    events._set_running_loop(None)
    try:
        yield
    finally:
        events._set_running_loop(loop)
        if task is not None:
            tasks._enter_task(loop, task)


def _settle(told: asyncio.Future[None]) -> None:
    if not told.done():
        told.set_result(None)
