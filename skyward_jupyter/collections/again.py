"""Doing again what may not have been answered, where that does no harm: reads, and writes that are made once."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from typing import Any

from casty import ActorFailed, Unavailable

from skyward_jupyter.collections.patience import Patience, over
from skyward_jupyter.tasks import apart, side_by_side

log = logging.getLogger("skyward")

#: How many keys are asked about at once.
_AT_ONCE = 64
#: Seconds after which something that was not answered is asked again: one question, one about much, or many.
TRY, TRY_PART, TRY_ALL = 2.0, 5.0, 20.0
_PAUSE = 0.1
#: What casty says of anything that is asked of a system after its end; another may have taken its place since.
STOPPED = "the system has stopped"


async def again[T](operation: Callable[[], Awaitable[T]], within: float = TRY) -> T:
    """Do something that does no harm when it is done twice, until it is answered or its call has had its time.

    What a node was asked that is lost meanwhile is never answered, and nobody says so. It does no harm to read twice,
    nor to make a write under one `skyward_jupyter.collections.writer.Mark`.
    """
    task, began, times = asyncio.current_task(), asyncio.get_running_loop().time(), 0
    assert task is not None
    cancelled, stopped = task.cancelling(), False
    while True:
        times += 1
        try:
            async with Patience(within):
                return await operation()
        except (TimeoutError, Unavailable, ActorFailed, RuntimeError, BaseExceptionGroup) as error:
            if task.cancelling() > cancelled:
                # A task group whose task fails just then raises that, and the cancellation is not heard of again.
                raise asyncio.CancelledError from error
            left = str(_first(error)) == STOPPED
            if over() or not (_passing(error) or (left and not stopped)):
                raise
            stopped = left
            log.debug("no answer to try %d, %.1f s after the first: %r", times, _since(began), _first(error))
        await asyncio.sleep(_PAUSE)


async def again_all[T](operation: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Do `again` what asks many at once, and so may take a while."""
    return await again(lambda: apart(operation()), TRY_ALL)


def _first(error: BaseException) -> BaseException:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def _since(began: float) -> float:
    return asyncio.get_running_loop().time() - began


def _passing(error: BaseException) -> bool:
    """Whether it says no more than that somebody could not be reached just now."""
    match error:
        case BaseExceptionGroup():
            return all(map(_passing, error.exceptions))
        case ActorFailed():
            return error.error in ("Unavailable", "TimeoutError")
        case _:
            return isinstance(error, TimeoutError | Unavailable)


async def each[I, T](operation: Callable[[I], Awaitable[T]], items: Iterable[I]) -> list[T]:
    """`operation` on all items, some at a time; the results in their order."""
    among = list(items)
    if len(among) <= 1:
        return [await operation(item) for item in among]
    waiting = iter(enumerate(among))
    found: dict[int, T] = {}

    async def work() -> None:
        for at, item in waiting:
            found[at] = await operation(item)

    await side_by_side([work] * min(_AT_ONCE, len(among)))
    return [found[at] for at in sorted(found)]
