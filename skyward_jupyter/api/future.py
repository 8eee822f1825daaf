"""The future that ``call > pool`` gives: for threads, for `concurrent.futures`, and to await."""

from __future__ import annotations

import asyncio
import concurrent.futures
from collections.abc import Callable, Generator
from typing import Any

from skyward_jupyter.runtime.bridge import runtime, wait
from skyward_jupyter.runtime.forks import depth, left_behind, refuse
from skyward_jupyter.runtime.writing import heard


class PoolFuture[T](concurrent.futures.Future[T]):
    """A `concurrent.futures.Future` that can also be awaited, and whose `cancel` stops the remote code.

    `stop` is called for that, in whichever thread cancels.
    """

    def __init__(self, stop: Callable[[], object]) -> None:
        super().__init__()
        self._stop = [stop]
        self._depth = depth()

    def __await__(self) -> Generator[Any, None, T]:
        try:
            return (yield from asyncio.wrap_future(self).__await__())
        except Exception:
            return super().result(0)  # raises the error as it is: asyncio makes some anew, without their notes

    def result(self, timeout: float | None = None) -> T:
        """The result, waiting for it up to `timeout` seconds; an error of the call is raised."""
        self._prepare(timeout)
        with heard:
            return super().result(timeout)

    def exception(self, timeout: float | None = None) -> BaseException | None:
        """The error of the call, or None, waiting for it up to `timeout` seconds."""
        self._prepare(timeout)
        with heard:
            return super().exception(timeout)

    def cancel(self) -> bool:
        """Stop the call wherever it is; returns whether it had not ended yet."""
        if self.done() or left_behind(self._depth):
            return False
        try:
            stop = self._stop.pop()
        except IndexError:
            return super().cancel()  # another thread is cancelling it
        stop()
        stopped = super().cancel()
        if stopped:
            self.set_running_or_notify_cancel()  # `wait` and `as_completed` learn of it by this alone
        return stopped

    def _prepare(self, timeout: float | None) -> None:
        """Wait already, where blocking has to go by way of the runtime."""
        if self.done():
            return
        refuse(self._depth, "this call")
        if runtime().waits_here:
            self._wait(timeout)

    def _wait(self, timeout: float | None) -> None:
        """Wait by way of the runtime: in a cell the kernel's loop goes on, and on the runtime's own it is refused."""

        async def done() -> None:
            await asyncio.wait([asyncio.wrap_future(self)], timeout=timeout)

        wait(done(), "await future")
        if not self.done():
            raise TimeoutError(f"the call has not ended after {timeout:g} s; it goes on, see `.cancel()`")
