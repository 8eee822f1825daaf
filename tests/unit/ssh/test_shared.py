"""Work that several ask for at once is done once."""

from __future__ import annotations

import asyncio

import pytest

from skyward_jupyter.ssh.shared import Shared


class Work:
    """Counts how often it was begun; ends when it is told to."""

    def __init__(self) -> None:
        self.begun = 0
        self.go = asyncio.Event()

    async def __call__(self) -> int:
        self.begun += 1
        await self.go.wait()
        return self.begun


async def test_those_who_ask_at_once_wait_for_the_same() -> None:
    shared, work = Shared[str, int](), Work()
    asking = [asyncio.create_task(shared.done("a", work)) for _ in range(5)]
    await asyncio.sleep(0)
    work.go.set()
    assert await asyncio.gather(*asking) == [1] * 5
    assert await shared.done("a", work) == 2


async def test_different_work_is_not_mixed_up() -> None:
    shared, work = Shared[str, int](), Work()
    work.go.set()
    await asyncio.gather(shared.done("a", work), shared.done("b", work))
    assert work.begun == 2


async def test_one_who_gives_up_does_not_end_it_for_the_others() -> None:
    shared, work = Shared[str, int](), Work()
    first = asyncio.create_task(shared.done("a", work))
    second = asyncio.create_task(shared.done("a", work))
    await asyncio.sleep(0)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    work.go.set()
    assert await second == 1


async def test_a_failure_is_everyones_and_is_tried_anew() -> None:
    shared = Shared[str, int]()
    begun = []

    async def fails() -> int:
        begun.append(1)
        await asyncio.sleep(0)
        raise OSError("no")

    results = await asyncio.gather(*(shared.done("a", fails) for _ in range(3)), return_exceptions=True)
    assert [str(result) for result in results] == ["no"] * 3
    with pytest.raises(OSError, match="no"):
        await shared.done("a", fails)
    assert len(begun) == 2
