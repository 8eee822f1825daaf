"""What makes a kernel's cells suspendable, and blocking in them."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import os
import signal
import sys
import threading
import traceback
import types
from collections.abc import Callable
from typing import Any

import pytest

from skyward_jupyter.runtime import bridge
from skyward_jupyter.runtime.bridge import wait
from skyward_jupyter.runtime.cells import kernel_shell, suspend_cells
from skyward_jupyter.runtime.suspension import suspends


async def answer(value: int = 42) -> int:
    await asyncio.sleep(0)
    return value


class FakeKernel:
    """As much of a kernel as runs cells: here a cell is a function."""

    def __init__(self, shell: FakeShell) -> None:
        self.shell = shell
        self.debugger = types.SimpleNamespace(kernel_modules=[])

    async def do_execute(self, code: Callable[[], Any], silent: bool = False) -> Any:
        """Run a cell, in a task of its own if it is awaited."""
        if inspect.iscoroutinefunction(code):
            return await asyncio.ensure_future(self.shell.run_cell_async(code))
        return self.shell.run_cell(code)


class FakeShell:
    """As much of IPython's shell as runs cells."""

    def __init__(self) -> None:
        self.kernel = FakeKernel(self)

    async def run_cell_async(self, code: Callable[[], Any]) -> Any:
        """Run a cell."""
        return await code() if inspect.iscoroutinefunction(code) else code()

    def run_cell(self, code: Callable[[], Any]) -> Any:
        """Run a cell that needs no awaiting in a single step."""
        with pytest.raises(StopIteration) as stopped:
            self.run_cell_async(code).send(None)
        return stopped.value.value


@pytest.fixture
def shell(monkeypatch: pytest.MonkeyPatch) -> FakeShell:
    """A shell in a kernel whose loop is the test's."""
    made = FakeShell()
    monkeypatch.setitem(sys.modules, "IPython", types.SimpleNamespace(get_ipython=lambda: made))
    return made


@pytest.fixture
async def execute(shell: FakeShell, monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], Any]], Any]:
    """Runs a function as a cell of a kernel with a runtime."""
    here = bridge._thread_runtime(asyncio.get_running_loop())
    monkeypatch.setattr(bridge, "_runtime", here)
    suspend_cells()

    def plain(code: Callable[[], Any]) -> Any:
        here.enter_cell()
        return code()

    async def awaited(code: Callable[[], Any]) -> Any:
        here.enter_cell()
        return await code()

    async def run(code: Callable[[], Any]) -> Any:
        handler = signal.getsignal(signal.SIGINT)
        if inspect.iscoroutinefunction(code):

            async def cell() -> Any:
                return await awaited(code)
        else:

            def cell() -> Any:
                return plain(code)

        try:
            return await shell.kernel.do_execute(cell)
        finally:
            signal.signal(signal.SIGINT, handler)

    return run


def test_without_a_kernel_nothing_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "IPython", types.SimpleNamespace(get_ipython=lambda: None))
    assert kernel_shell() is None
    suspend_cells()


def test_it_is_done_once_and_looks_as_before(shell: FakeShell) -> None:
    suspend_cells()
    execute, run = shell.kernel.do_execute, shell.run_cell_async
    suspend_cells()
    assert shell.kernel.do_execute is execute
    assert shell.run_cell_async is run
    assert inspect.signature(execute) == inspect.signature(FakeShell().kernel.do_execute)
    assert inspect.iscoroutinefunction(execute)
    assert inspect.iscoroutinefunction(run)
    assert len(shell.kernel.debugger.kernel_modules) == 2


async def test_cells_are_suspendable(shell: FakeShell, execute: Any) -> None:
    async def awaited() -> bool:
        await asyncio.sleep(0)
        return suspends()

    assert await execute(suspends)
    assert await execute(awaited)
    assert await execute(lambda: shell.run_cell(suspends))
    assert not suspends()


async def test_a_subshell_is_left_alone(shell: FakeShell) -> None:
    suspend_cells()

    def run() -> bool:
        found: bool = asyncio.run(shell.kernel.do_execute(suspends))
        return found

    assert not await asyncio.to_thread(run)


async def test_blocking_in_a_cell(execute: Any) -> None:
    async def awaited() -> int:
        return wait(answer(3)) + await answer(4)

    assert await execute(lambda: wait(answer())) == 42
    assert await execute(awaited) == 7
    assert not hasattr(asyncio.get_running_loop(), "_nest_patched")


async def test_an_error_keeps_only_the_frames_of_others(execute: Any) -> None:
    async def fail() -> None:
        await asyncio.sleep(0)
        raise LookupError("gone")

    def catch() -> list[str]:
        with pytest.raises(LookupError, match="gone") as caught:
            wait(fail())
        return [frame.name for frame in traceback.extract_tb(caught.value.__traceback__)]

    assert await execute(catch) == ["catch", "wait", "fail"]


@pytest.mark.parametrize("answers", [False, True])
async def test_an_interrupt_stops_what_is_waited_for(execute: Any, answers: bool) -> None:
    beside = asyncio.ensure_future(asyncio.sleep(60))
    cancelled: list[bool] = []

    async def stuck() -> int:
        threading.Timer(0.01, os.kill, (os.getpid(), signal.SIGINT)).start()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.sleep(60)
        cancelled.append(True)
        if not answers:
            raise asyncio.CancelledError
        return 5

    def interrupted() -> int:
        with pytest.raises(KeyboardInterrupt):
            wait(stuck())
        return wait(answer(8))

    assert await execute(interrupted) == 8
    assert cancelled == [True]
    assert not beside.done()
    beside.cancel()


async def test_a_cell_that_is_cancelled_cancels_what_it_waits_for(execute: Any) -> None:
    here = asyncio.get_running_loop()
    begun = asyncio.Event()
    steps: list[str] = []

    async def stuck() -> None:
        here.call_soon_threadsafe(begun.set)
        try:
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(0.01)
            steps.append("ended")

    cell = asyncio.ensure_future(execute(lambda: wait(stuck())))
    await begun.wait()
    cell.cancel()
    with pytest.raises(asyncio.CancelledError):
        await cell
    assert steps == ["ended"]
