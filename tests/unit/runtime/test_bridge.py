"""Blocking and awaiting from wherever the caller is, on the runtime of a script: a loop in a thread."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import gc
import os
import signal
import threading
import traceback
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from typing import Any

import pytest

import skyward as sky
from skyward_jupyter.runtime import bridge as module
from skyward_jupyter.runtime.bridge import Runtime, bridge, runtime, wait


async def answer(value: int = 42) -> int:
    await asyncio.sleep(0)
    return value


async def fail(error: BaseException) -> None:
    await asyncio.sleep(0)
    raise error


class Stuck:
    """Something to wait for that does not come, and what became of it."""

    def __init__(self) -> None:
        self.started = threading.Event()
        self.cancelled = threading.Event()

    async def __call__(self) -> None:
        self.started.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.cancelled.set()
            raise


@pytest.fixture
def interrupting() -> Iterator[Callable[[threading.Event], None]]:
    """Sends SIGINT to this process once an event is set."""
    threads: list[threading.Thread] = []

    def after(event: threading.Event) -> None:
        def send() -> None:
            assert event.wait(10)
            os.kill(os.getpid(), signal.SIGINT)

        threads.append(threading.Thread(target=send))
        threads[-1].start()

    yield after
    for thread in threads:
        thread.join(10)


def test_a_script_has_one_runtime_in_a_thread() -> None:
    assert runtime() is runtime()
    assert not runtime().in_kernel
    assert not runtime().on_loop
    assert runtime().may_block()


def test_one_runtime_however_many_ask_first(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Runtime] = []
    loop = asyncio.new_event_loop()

    def make() -> Runtime:
        made.append(Runtime(loop))
        return made[-1]

    monkeypatch.setattr(module, "_runtime", None)
    monkeypatch.setattr(module, "_thread_runtime", make)
    with concurrent.futures.ThreadPoolExecutor(8) as threads:
        found = list(threads.map(lambda _: runtime(), range(50)))
    loop.close()
    assert len(made) == len(set(map(id, found))) == 1


def test_waiting_blocks_until_there_is_an_answer() -> None:
    assert wait(answer(7)) == 7


def test_waiting_from_any_thread() -> None:
    with concurrent.futures.ThreadPoolExecutor(8) as threads:
        assert list(threads.map(lambda n: wait(answer(n)), range(100))) == list(range(100))


async def test_waiting_inside_another_loop() -> None:
    assert wait(answer(8)) == 8


ERRORS = [
    ValueError("x"),
    TimeoutError(),
    concurrent.futures.CancelledError("user's"),
    OSError(2),
    StopAsyncIteration(),
]


@pytest.mark.parametrize("error", ERRORS, ids=repr)
def test_errors_are_raised_as_they_are(error: Exception) -> None:
    with pytest.raises(type(error)) as caught:
        wait(fail(error))
    assert caught.value is error


def test_errors_show_none_of_the_frames_that_carried_them() -> None:
    with pytest.raises(ValueError, match="x") as caught:
        wait(fail(ValueError("x")))
    files = [frame.filename for frame in traceback.extract_tb(caught.value.__traceback__)]
    assert not any("asyncio" in file or "concurrent" in file for file in files)
    assert files[-1] == __file__


def test_an_interrupt_cancels_what_is_awaited(interrupting: Callable[[threading.Event], None]) -> None:
    stuck = Stuck()
    interrupting(stuck.started)
    with pytest.raises(KeyboardInterrupt):
        wait(stuck())
    assert stuck.cancelled.is_set()
    assert wait(answer()) == 42


def test_an_interrupt_waits_for_the_end_of_what_it_stops(interrupting: Callable[[threading.Event], None]) -> None:
    stuck = Stuck()
    steps: list[str] = []

    async def slow_to_stop() -> None:
        try:
            await stuck()
        finally:
            for _ in range(10):
                await asyncio.sleep(0)
            steps.append("stopped")

    interrupting(stuck.started)
    with pytest.raises(KeyboardInterrupt):
        wait(slow_to_stop())
    assert steps == ["stopped"]


def test_a_second_interrupt_cancels_again(interrupting: Callable[[threading.Event], None]) -> None:
    first, second = Stuck(), Stuck()

    async def stubborn() -> None:
        with contextlib.suppress(asyncio.CancelledError):
            await first()
        await second()

    interrupting(first.started)
    interrupting(second.started)
    with pytest.raises(KeyboardInterrupt):
        wait(stubborn())
    assert first.cancelled.is_set()
    assert second.cancelled.is_set()


def test_an_interrupt_counts_even_when_the_result_is_there(interrupting: Callable[[threading.Event], None]) -> None:
    stuck = Stuck()

    async def answers() -> int:
        with contextlib.suppress(asyncio.CancelledError):
            await stuck()
        return 5

    interrupting(stuck.started)
    with pytest.raises(KeyboardInterrupt):
        wait(answers())


def test_interrupts_at_any_moment_leave_nothing_running() -> None:
    running = [0]

    async def work() -> None:
        running[0] += 1
        try:
            await asyncio.sleep(0.0005)
        finally:
            running[0] -= 1

    class Later:
        """Made into a coroutine only once it is awaited, so an interrupt before that leaves none behind."""

        def __await__(self) -> Generator[Any, None, None]:
            return work().__await__()

    async def look() -> int:
        return running[0]

    interrupted = 0
    for n in range(200):
        timer = threading.Timer(n / 100_000, os.kill, (os.getpid(), signal.SIGINT))
        try:
            timer.start()
            try:
                wait(Later())
            finally:
                timer.join()
        except KeyboardInterrupt:
            interrupted += 1
        assert wait(look()) == 0
    assert interrupted


def test_blocking_on_the_loop_itself_is_refused() -> None:
    never = answer()

    async def inside() -> None:
        wait(never, "await pool.run(...)")

    with pytest.raises(sky.BlockingRefused, match=r"use `await pool.run\(...\)`"):
        wait(inside())
    gc.collect()


async def test_awaiting_from_another_loop() -> None:
    assert asyncio.get_running_loop() is not runtime().loop
    assert await bridge(answer(3)) == 3
    assert await asyncio.gather(*(bridge(answer(n)) for n in range(20))) == list(range(20))


async def test_awaiting_on_the_loop_itself() -> None:
    async def inside() -> int:
        assert runtime().on_loop
        return await bridge(answer(4))

    assert await bridge(inside()) == 4


async def test_errors_cross_loops() -> None:
    with pytest.raises(LookupError, match="crossed"):
        await bridge(fail(LookupError("crossed")))


async def test_cancelling_crosses_loops() -> None:
    stuck = Stuck()
    task = asyncio.ensure_future(bridge(stuck()))
    await asyncio.to_thread(stuck.started.wait, 10)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await asyncio.to_thread(stuck.cancelled.wait, 10)


async def test_a_timeout_crosses_loops() -> None:
    stuck = Stuck()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await bridge(stuck())
    assert await asyncio.to_thread(stuck.cancelled.wait, 10)


def test_calling_soon_from_any_thread() -> None:
    called = threading.Event()
    found: list[bool] = []

    def note() -> None:
        found.append(runtime().on_loop)
        called.set()

    runtime().call_soon(note)
    assert called.wait(10)
    assert found == [True]


def test_what_is_spawned_is_kept_until_it_is_done() -> None:
    done = threading.Event()

    async def work() -> None:
        await asyncio.sleep(0.01)
        done.set()

    runtime().call_soon(lambda: runtime().spawn(work()))
    gc.collect()
    assert done.wait(10)


@pytest.fixture
async def kernel(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Runtime]:
    """A runtime beside the loop of the test, which plays a kernel's, and its task the cell."""
    made = module._thread_runtime(asyncio.get_running_loop())
    monkeypatch.setattr(module, "_runtime", made)
    monkeypatch.setattr(made, "_cell", asyncio.current_task())
    yield made
    assert made.turns is not None
    made.turns.close()


async def where() -> str:
    await asyncio.sleep(0)
    return threading.current_thread().name


async def test_a_kernel_has_a_loop_beside_its_own(kernel: Runtime) -> None:
    assert kernel.in_kernel
    assert kernel.on_kernel
    assert not kernel.on_loop
    assert kernel.may_block()


async def test_in_a_kernel_everything_beside_the_cell_may_block(kernel: Runtime) -> None:
    async def task() -> int:
        return wait(answer(5))

    assert await asyncio.create_task(task()) == 5
    assert await asyncio.to_thread(wait, answer(6)) == 6
    assert await asyncio.to_thread(asyncio.run, task()) == 5
    with concurrent.futures.ThreadPoolExecutor(4) as threads:
        assert list(threads.map(lambda n: wait(answer(n)), range(20))) == list(range(20))


async def test_in_a_kernel_one_await_alone_runs_the_loop_here(kernel: Runtime) -> None:
    assert await bridge(where()) == "MainThread"
    assert await asyncio.gather(*(bridge(where()) for _ in range(5))) == ["skyward"] * 5
    assert asyncio.get_running_loop() is kernel.kernel
    assert asyncio.current_task() is not None


async def test_in_a_kernel_a_longer_await_leaves_its_loop_free(kernel: Runtime) -> None:
    ticked = asyncio.Event()
    asyncio.get_running_loop().call_later(module.BRIEFLY * 2, ticked.set)
    through = threading.Event()

    async def until_ticked() -> bool:
        return await asyncio.to_thread(through.wait, 10)

    async def tick() -> None:
        await ticked.wait()
        through.set()

    ticking = asyncio.create_task(tick())
    assert await bridge(until_ticked())
    await ticking


async def test_in_a_kernel_an_await_that_is_cancelled_has_ended(kernel: Runtime) -> None:
    stuck = Stuck()
    steps: list[str] = []

    async def slow_to_stop() -> None:
        try:
            await stuck()
        finally:
            await asyncio.sleep(0.01)
            steps.append("stopped")

    task = asyncio.ensure_future(bridge(slow_to_stop()))
    await asyncio.to_thread(stuck.started.wait, 10)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert steps == ["stopped"]


async def test_in_a_kernel_what_is_cancelled_before_it_began_never_begins(kernel: Runtime) -> None:
    stuck = Stuck()
    task = asyncio.ensure_future(bridge(stuck()))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not stuck.started.is_set()
