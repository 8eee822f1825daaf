"""When a thread that waits should keep its core, and that it lets go of it soon."""

import asyncio
import time

import pytest

from skyward_jupyter.runtime import awake


@pytest.mark.parametrize(
    ("cores", "calls", "leaves"), [(1, 1, False), (2, 1, True), (2, 2, True), (2, 3, False), (16, 8, True)]
)
def test_few_calls_leave_a_core_to_the_thread_that_waits(
    monkeypatch: pytest.MonkeyPatch, cores: int, calls: int, leaves: bool
) -> None:
    monkeypatch.setattr(awake, "_CORES", cores)
    assert awake.leaves_a_core(calls) is leaves


def test_a_loop_sleeps_again_when_what_it_waits_for_takes_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(awake, "_CORES", 2)

    async def used() -> float:
        loop = asyncio.get_running_loop()
        task: asyncio.Future[None] = loop.create_future()
        awake.stay_awake(loop, task)
        loop.call_later(1.0, task.set_result, None)
        before = time.process_time()
        await task
        return time.process_time() - before

    assert asyncio.run(used()) < 0.5
