"""Stacks that are set aside while their task awaits."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import gc
import traceback
import weakref
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

import pytest
from greenlet import greenlet

from skyward_jupyter.runtime.suspension import suspendable, suspended, suspends

VAR = contextvars.ContextVar("VAR", default=0)


async def calling[T](function: Callable[[], T]) -> T:
    """Synchronous code below a coroutine."""
    return function()


def blocking[T](function: Callable[[], T]) -> Coroutine[Any, Any, T]:
    """`function`, which may block, as something to await."""
    return suspendable(calling(function))


async def later[T](value: T) -> T:
    await asyncio.sleep(0)
    return value


async def fail() -> None:
    await asyncio.sleep(0)
    raise LookupError("gone")


async def test_synchronous_code_gets_what_it_waits_for() -> None:
    def add() -> int:
        return sum(suspended(later(n)) for n in range(10))

    assert await blocking(add) == 45


async def test_what_needs_no_waiting_returns_at_once() -> None:
    assert await blocking(lambda: suspended(calling(lambda: 3))) == 3


async def test_an_error_is_raised_where_the_code_waits() -> None:
    def catch() -> str:
        try:
            suspended(fail())
        except LookupError as error:
            return "".join(traceback.format_exception(error))
        return ""

    shown = await blocking(catch)
    assert 'raise LookupError("gone")' in shown
    assert "in catch" in shown
    assert "yield awaited" not in shown


async def test_an_error_of_a_future_shows_no_frame_twice() -> None:
    future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    future.set_exception(LookupError("gone"))
    frames: list[str] = []

    async def work() -> None:
        try:
            await future
        except LookupError as error:
            frames.extend(frame.name for frame in traceback.extract_tb(error.__traceback__))

    await suspendable(work())
    assert frames == ["work"]


async def test_an_error_leaves() -> None:
    def stop() -> None:
        suspended(later(1))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        await blocking(stop)
    with pytest.raises(LookupError):
        await suspendable(fail())


async def test_others_go_on_meanwhile() -> None:
    steps: list[str] = []

    def work(name: str) -> None:
        for n in range(3):
            steps.append(f"{name}{n}")
            suspended(later(None))

    await asyncio.gather(blocking(lambda: work("a")), blocking(lambda: work("b")))
    assert steps == ["a0", "b0", "a1", "b1", "a2", "b2"]


async def test_a_thousand_stacks() -> None:
    done = asyncio.Event()

    def work(n: int) -> int:
        suspended(done.wait())
        return suspended(later(n))

    tasks = [asyncio.ensure_future(blocking(lambda n=n: work(n))) for n in range(1000)]
    await later(None)
    done.set()
    assert await asyncio.gather(*tasks) == list(range(1000))


async def test_the_task_and_its_context_stay_the_same() -> None:
    here = asyncio.current_task()

    def work() -> None:
        assert asyncio.current_task() is here
        VAR.set(VAR.get() + 1)
        suspended(later(None))
        VAR.set(VAR.get() + 1)
        assert asyncio.current_task() is here

    VAR.set(5)
    await blocking(work)
    assert VAR.get() == 7


async def test_a_context_of_the_codes_own() -> None:
    def inner() -> int:
        VAR.set(3)
        suspended(later(None))
        return VAR.get()

    def work() -> tuple[int, int]:
        return contextvars.copy_context().run(inner), VAR.get()

    VAR.set(1)
    assert await blocking(work) == (3, 1)


async def test_cancelling_reaches_the_code_and_what_it_waits_for() -> None:
    waited = asyncio.ensure_future(asyncio.sleep(60))
    found: list[BaseException] = []

    async def wait_for() -> None:
        await waited

    def work() -> str:
        try:
            suspended(wait_for())
        except asyncio.CancelledError as error:
            found.append(error)
        return suspended(later("cleaned up"))

    task = asyncio.ensure_future(blocking(work))
    await later(None)
    task.cancel()
    assert await task == "cleaned up"
    assert found
    assert waited.cancelled()


async def test_what_awaits_and_what_blocks_mix() -> None:
    async def numbers() -> AsyncIterator[int]:
        for n in range(3):
            yield suspended(later(n))
            await asyncio.sleep(0)

    async def work() -> list[int]:
        async with asyncio.timeout(60):
            return [suspended(later(n)) + await later(n) async for n in numbers()]

    assert await suspendable(work()) == [0, 2, 4]


async def test_one_within_another() -> None:
    async def inner() -> int:
        return suspended(later(4))

    async def work() -> int:
        return await suspendable(inner()) + suspended(later(1))

    assert await suspendable(work()) == 5


async def test_where_nothing_can_be_set_aside() -> None:
    assert not suspends()
    assert await blocking(suspends)
    assert not await blocking(lambda: greenlet(suspends).switch())
    task = await blocking(lambda: asyncio.ensure_future(calling(suspends)))
    assert not await task


async def test_a_stack_that_nobody_drives_any_more_unwinds() -> None:
    steps: list[object] = []

    def work() -> None:
        try:
            suspended(asyncio.Event().wait())
        finally:
            steps.append("unwound")

    steps_of = blocking(work).__await__()
    next(steps_of)
    steps_of.close()
    assert steps == ["unwound"]


async def test_nothing_is_kept() -> None:
    class Value:
        pass

    def work() -> weakref.ref[Value]:
        value = suspended(later(Value()))
        with contextlib.suppress(LookupError):
            suspended(fail())
        return weakref.ref(value)

    gc.collect()
    gc.disable()
    try:
        assert (await blocking(work))() is None
    finally:
        gc.enable()
