"""Tasks with an owner, none of which fails unheard.

An exception that nobody takes from a task would leave those waiting who wait for what the task does: asyncio tells of
it once the task is collected, if ever. Here whoever starts one says what it is for, which the log tells should it fail,
and who is told then. A task that is cancelled has not failed.
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
from collections.abc import Callable, Coroutine, Iterable, Iterator
from functools import partial
from typing import Any

type Failed = Callable[[BaseException], object]

log = logging.getLogger("skyward")


def begin[T](
    work: Coroutine[Any, Any, T],
    what: str,
    failed: Failed | None = None,
    *,
    loop: asyncio.AbstractEventLoop | None = None,
    context: contextvars.Context | None = None,
) -> asyncio.Task[T]:
    """Start a task that the caller keeps.

    Parameters
    ----------
    what
        What it does, for the log.
    failed
        Told of its exception, beside the log.
    loop, context
        As of `asyncio.loop.create_task`; the running loop by default.
    """
    task = (loop or asyncio.get_running_loop()).create_task(work, context=context)
    task.add_done_callback(partial(_hear, what, failed))
    return task


def promise[T](
    work: Coroutine[Any, Any, T],
    *,
    loop: asyncio.AbstractEventLoop | None = None,
    context: contextvars.Context | None = None,
) -> asyncio.Task[T]:
    """Start a task whose exception is its result: those who await it are told, and there may be none."""
    task = (loop or asyncio.get_running_loop()).create_task(work, context=context)
    task.add_done_callback(take_error)
    return task


async def apart[T](work: Coroutine[Any, Any, T]) -> T:
    """Do something in a task of its own and wait for it; to cancel the caller cancels that.

    A task group whose task fails cancels the task that it is in, and in Python 3.12 that stays counted as cancelled:
    the next timeout around it would end as a cancellation. Here the caller counts only what was meant for it.
    """
    return await promise(work)


async def side_by_side(calls: Iterable[Callable[[], Coroutine[Any, Any, object]]]) -> None:
    """Do several things at once; one that fails ends the others, and this as of a task group."""

    async def all_of_them() -> None:
        async with asyncio.TaskGroup() as group:
            for call in calls:
                group.create_task(call())

    await apart(all_of_them())


class Tasks:
    """The tasks of one owner, kept until they are done.

    Parameters
    ----------
    what
        What they do, for the log.
    failed
        Told of the exception of each, beside the log, unless `start` names another.
    loop
        What they run on; the running loop by default.
    """

    def __init__(
        self, what: str, failed: Failed | None = None, *, loop: asyncio.AbstractEventLoop | None = None
    ) -> None:
        self._what = what
        self._failed = failed
        self._loop = loop
        self._running: set[asyncio.Task[Any]] = set()

    def __iter__(self) -> Iterator[asyncio.Task[Any]]:
        return iter(tuple(self._running))

    def __len__(self) -> int:
        return len(self._running)

    def start(self, work: Coroutine[Any, Any, object], failed: Failed | None = None) -> None:
        """Start one that nobody waits for."""
        _ = self.begin(work, failed)

    def begin[T](
        self, work: Coroutine[Any, Any, T], failed: Failed | None = None, context: contextvars.Context | None = None
    ) -> asyncio.Task[T]:
        """Start one, and return it."""
        return self._kept(begin(work, self._what, failed or self._failed, loop=self._loop, context=context))

    def promise[T](self, work: Coroutine[Any, Any, T], context: contextvars.Context | None = None) -> asyncio.Task[T]:
        """Start one whose exception is its result, as `skyward_jupyter.tasks.promise` does."""
        return self._kept(promise(work, loop=self._loop, context=context))

    def cancel(self) -> None:
        """Cancel those that run."""
        for task in self:
            task.cancel()

    async def close(self) -> None:
        """Cancel those that run, and wait until they have ended."""
        self.cancel()
        if self._running:
            await asyncio.wait(self)

    def _kept[T](self, task: asyncio.Task[T]) -> asyncio.Task[T]:
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return task


def _hear(what: str, failed: Failed | None, task: asyncio.Task[Any]) -> None:
    if task.cancelled() or (error := task.exception()) is None:
        return
    if isinstance(error, KeyboardInterrupt | SystemExit):
        return  # these leave the loop, and whoever runs it has them
    log.error("%s failed: %s: %s", what, type(error).__name__, error, exc_info=error)
    if failed is not None:
        failed(error)


def take_error(task: asyncio.Future[Any]) -> None:
    """Have the exception of a task count as heard."""
    if not task.cancelled():
        task.exception()
