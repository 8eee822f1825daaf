"""The future that ``call > pool`` gives: for threads, for `concurrent.futures`, and to await."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
from collections.abc import Callable, Generator
from typing import Any

from skyward_jupyter.api.condition import Condition
from skyward_jupyter.api.waiting import waits_for
from skyward_jupyter.runtime.bridge import runtime, wait
from skyward_jupyter.runtime.forks import depth, left_behind, refuse
from skyward_jupyter.runtime.writing import heard
from skyward_jupyter.wire.stays import Stays


class PoolFuture[T](concurrent.futures.Future[T]):
    """A `concurrent.futures.Future` that can also be awaited, and whose `cancel` stops the remote code.

    `stop` is called for that with the future, in whichever thread cancels; `reason` says for what it waits.
    """

    def __init__(self, stop: Callable[[Any], object], reason: Callable[[], str] = str) -> None:
        super().__init__()
        self._reason = reason
        self._condition = Condition()
        self._stop: Callable[[Any], object] | None = stop
        self._depth = depth()

    def __reduce__(self) -> Any:
        raise Stays(self, "a future stays where it was made", "wait for it and send what it gives: future.result()")

    def __await__(self) -> Generator[Any, None, T]:
        try:
            return (yield from asyncio.wrap_future(self).__await__())
        except Exception:
            return super().result(0)  # raises the error as it is: asyncio makes some anew, without their notes

    def _waits_for(self) -> str:
        """For what it waits now, in words; empty when nothing is known of it."""
        return self._reason()

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
        stop = self._let_go()
        if stop is None:
            return super().cancel()  # another thread is cancelling it
        stop(self)
        stopped = super().cancel()
        if stopped:
            self.set_running_or_notify_cancel()  # `wait` and `as_completed` learn of it by this alone
        return stopped

    def _take(self, answer: asyncio.Future[T]) -> None:
        """End as `answer` has, unless it was cancelled at this very moment."""
        if answer.cancelled():
            self.cancel()
            return
        error = answer.exception()
        with contextlib.suppress(concurrent.futures.InvalidStateError):
            self.set_exception(error) if error is not None else self.set_result(answer.result())
        self._let_go()

    def _let_go(self) -> Callable[[Any], object] | None:
        """What stops the call, for whoever asks first; nothing of the call is kept here from then on."""
        with self._condition:
            stop, self._stop, self._reason = self._stop, None, str
        return stop

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
            with waits_for(self._waits_for):
                await asyncio.wait([asyncio.wrap_future(self)], timeout=timeout)

        wait(done(), "await future")
        if not self.done():
            raise TimeoutError(f"the call has not ended after {timeout:g} s; it goes on, see `.cancel()`")
