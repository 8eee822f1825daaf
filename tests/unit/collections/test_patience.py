"""How long is waited for an answer."""

from __future__ import annotations

import asyncio
import time

import pytest
from casty import Unavailable

from skyward_jupyter.collections.again import again, again_all, each
from skyward_jupyter.collections.patience import Patience, bounded


async def test_what_takes_too_long_ends() -> None:
    began = time.monotonic()
    with pytest.raises(TimeoutError):
        async with Patience(0.3):
            await asyncio.sleep(30)
    assert 0.25 < time.monotonic() - began < 5


async def test_an_answer_that_has_come_counts_before_the_clock() -> None:
    loop = asyncio.get_running_loop()
    for within in (0.1, 0.7):
        answer = loop.create_future()
        loop.call_later(0.05, time.sleep, 1.2)
        loop.call_later(0.06, answer.set_result, "come")  # due while the loop stands still
        async with Patience(within):
            assert await answer == "come"


async def test_of_a_pause_only_a_moment_counts() -> None:
    loop = asyncio.get_running_loop()
    answer = loop.create_future()
    loop.call_soon(time.sleep, 1.5)
    loop.call_later(1.8, answer.set_result, "come")
    async with Patience(1.0):
        assert await answer == "come"


async def test_it_is_asked_again_until_it_is_answered() -> None:
    asked: list[int] = []

    async def operation() -> str:
        asked.append(len(asked))
        if len(asked) == 1:
            await asyncio.sleep(30)
        if len(asked) == 2:
            raise Unavailable("the owner is changing")
        return "answered"

    async with bounded(10):
        assert await again(operation, 0.3) == "answered"
    assert asked == [0, 1, 2]


async def test_a_wrong_call_is_not_asked_again() -> None:
    async def operation() -> None:
        raise ValueError("wrong")

    with pytest.raises(ValueError, match="wrong"):
        await again(operation)


async def test_a_call_ends_although_what_it_waits_for_hides_that_it_was_cancelled() -> None:
    """As a task group does whose task fails while the group is cancelled."""

    async def fails_when_cancelled() -> None:
        try:
            await asyncio.sleep(30)
        except asyncio.CancelledError:
            raise Unavailable("its node was lost") from None

    async def operation() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(fails_when_cancelled())

    began = time.monotonic()
    with pytest.raises(TimeoutError):
        async with bounded(0.6):
            await again(operation, 5)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.6):
            await again(operation, 5)
    assert time.monotonic() - began < 4


async def test_what_asks_many_is_asked_again_when_one_of_them_fails() -> None:
    """In Python 3.12 a task group that fails leaves its task counted as cancelled: that is not what a caller did."""
    tries: list[int] = []

    async def one() -> None:
        await asyncio.sleep(0)
        if len(tries) < 3:
            raise Unavailable("the owner is changing")

    async def operation() -> str:
        tries.append(len(tries))
        async with asyncio.TaskGroup() as group:
            group.create_task(one())
            group.create_task(asyncio.sleep(0.01))
        return "answered"

    async with bounded(10):
        assert await again_all(operation) == "answered"
    assert tries == [0, 1, 2]
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0


async def test_whoever_gives_up_what_asks_many_ends_it() -> None:
    ended = asyncio.Event()

    async def operation() -> None:
        try:
            await asyncio.sleep(30)
        finally:
            ended.set()

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await again_all(operation)
    assert ended.is_set()


async def test_a_timeout_around_many_of_which_one_failed_is_a_timeout() -> None:
    async def fails(item: int) -> None:
        await asyncio.sleep(0)
        raise Unavailable(f"{item} was lost")

    async def goes_on() -> None:
        async with asyncio.timeout(0.2):
            with pytest.raises(ExceptionGroup):
                await each(fails, range(3))
            await asyncio.sleep(30)

    with pytest.raises(TimeoutError):
        await goes_on()
