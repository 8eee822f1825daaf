"""Waiting on one event loop for what runs on another.

Whoever waits is told once that has ended, also where the wait was cancelled: nothing goes on for nobody.
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
from asyncio import events, tasks
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Protocol, runtime_checkable

from skyward_jupyter.tasks import take_error

#: Something to await on another loop, or what begins it: called there, or in the thread that runs that loop next.
type Work[T] = Awaitable[T] | Callable[[], asyncio.Future[T]]


@runtime_checkable
class Says(Protocol):
    """A future that can say in the cell that awaits it for what it waits, until it is done."""

    def say(self) -> None:
        """Say it from now on."""
        ...


class Crossing[T]:
    """Something that runs on `loop`, for somebody elsewhere: a coroutine, a future of that loop, or what makes one."""

    __slots__ = ("_cancelled", "_loop", "_task", "_work")

    def __init__(self, loop: asyncio.AbstractEventLoop, work: Work[T]) -> None:
        if asyncio.isfuture(work) and work.get_loop() is not loop:
            raise ValueError(f"{work!r} belongs to another loop than the one it shall be awaited on")
        self._loop = loop
        self._work: Work[T] | None = work
        self._task: asyncio.Future[T] | None = None
        self._cancelled = False

    def begin(self) -> asyncio.Future[T]:
        """Start it, on its loop, or from the thread that runs that next."""
        if self._task is None:
            assert self._work is not None
            self._task, self._work = begun(self._work, self._loop), None
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
        told = self._told()
        try:
            while True:
                try:
                    await told
                    break
                except asyncio.CancelledError:
                    self.cancel()
                    told = self._told()
        finally:
            if not told.done():
                self.cancel()  # who waited is closed, not cancelled
        return self.begin().result()

    def say(self) -> None:
        """Have it say for what it waits, if it can; on its loop."""
        task: object = self._task
        if isinstance(task, Says):
            task.say()

    def drop(self) -> None:
        """Nobody waits for it; it has not begun."""
        if self._work is not None:
            drop(self._work)

    def _told(self) -> asyncio.Future[None]:
        """What is done here once it has ended there."""
        told: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._loop.call_soon_threadsafe(self._tell, told)
        return told

    def _tell(self, told: asyncio.Future[None]) -> None:
        self.begin().add_done_callback(partial(_tell, told))


def begun[T](work: Work[T], loop: asyncio.AbstractEventLoop) -> asyncio.Future[T]:
    """Begin something on `loop`; whoever waits for it is told what it raises, and there may be nobody by then."""
    if not callable(work):
        task = asyncio.ensure_future(work, loop=loop)
        task.add_done_callback(take_error)
        return task
    return work()


def drop(work: object) -> None:
    """Nobody will await it, unless somebody does already."""
    if inspect.iscoroutine(work) and inspect.getcoroutinestate(work) == inspect.CORO_CREATED:
        work.close()


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


def _tell(told: asyncio.Future[None], _: object) -> None:
    with contextlib.suppress(RuntimeError):  # that loop is closed: nobody waits
        told.get_loop().call_soon_threadsafe(_settle, told)


def _settle(told: asyncio.Future[None]) -> None:
    if not told.done():
        told.set_result(None)
