"""What one call gives, for whoever waits for it on the runtime's loop.

A crowd may wait at once, so one costs little: it is no task of the loop, and its end lets go of all it held.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

from skyward_jupyter.actors.desk import TaskEntry
from skyward_jupyter.actors.dispatch import STOP_WITHIN, Dispatch
from skyward_jupyter.api import reasons
from skyward_jupyter.api.echo import Echo
from skyward_jupyter.api.waiting import Wait, begin
from skyward_jupyter.runtime.bridge import LONG, runtime
from skyward_jupyter.wire.events import Failure, Outcome

#: Puts a call into the queue; what it writes goes to the echo.
type Begin = Callable[[Echo], TaskEntry]


class Answer(asyncio.Future[Any]):
    """What a call returns or raises, once it was started.

    Cancelled, it interrupts the call, and ends once that has stopped; cancelled again, it ends the call's slot.

    Attributes
    ----------
    is_small
        Whether nothing of the call is so large that it has to be put somewhere as it begins.
    """

    __slots__ = ("_begin", "_dispatch", "_echo", "_entry", "_stopping", "_wait", "is_small")

    def __init__(
        self, loop: asyncio.AbstractEventLoop, dispatch: Dispatch, begin: Begin, *, is_small: bool = True
    ) -> None:
        super().__init__(loop=loop)
        self.is_small = is_small
        self._dispatch = dispatch
        self._begin: Begin | None = begin
        self._echo: Echo | None = None
        self._entry: TaskEntry | None = None
        self._stopping = False
        self._wait: Wait | None = None

    def start(self, echo: Echo | None = None) -> None:
        """Begin, on the loop; one that was cancelled before never does."""
        begin, self._begin = self._begin, None
        if begin is None or self.done():
            return
        self._echo = echo or Echo()
        try:
            self._entry = begin(self._echo)
        except Exception as error:
            self._fail(error)
            return
        self._echo.unread = self.cancel
        self._entry.outcome.add_done_callback(self._ended)

    def cancel(self, msg: object = None) -> bool:
        """Stop the call; returns whether it had not ended yet."""
        if self.done():
            return False
        if self._entry is None:
            return super().cancel(msg)
        if self._stopping:
            self._dispatch.stop([self._entry], "kill")
            self._said()
            return super().cancel(msg)
        self._stopping = True
        self._dispatch.stop([self._entry], "interrupt")
        if not self._entry.outcome.done():
            late = self.get_loop().call_later(STOP_WITHIN, self._give_up)
            self.add_done_callback(lambda _: late.cancel())
        return True

    def say(self) -> None:
        """Say in the cell that awaits it for what it waits."""
        if self._wait is None and not self.done():
            self._wait = begin(self.waits_for, time.monotonic() - LONG, stops=True)

    def waits_for(self) -> str:
        """For what it waits now; empty when for nothing."""
        return reasons.of_call(self._dispatch.hub, self._entry) if self._entry is not None else ""

    def stop(self, _: object = None) -> None:
        """`cancel`, from any thread."""
        runtime().call_soon(self.cancel)

    def _give_up(self) -> None:
        self._said()
        super().cancel()

    def _said(self) -> None:
        """Take away what it says: before whoever waits goes on."""
        if self._wait is not None:
            self._wait.end()
            self._wait = None

    def _ended(self, future: asyncio.Future[Outcome]) -> None:
        outcome = future.result()
        if self._echo is not None:
            self._echo.finish(outcome.node)
            self._echo.close()
        self._entry = self._echo = None
        self._said()
        if self.done():
            return
        if self._stopping:
            super().cancel()
        elif isinstance(outcome, Failure):
            self._fail(outcome.error)
        else:
            self.set_result(outcome.value)

    def _fail(self, error: BaseException) -> None:
        self._said()
        self.set_exception(error)
        self.exception()  # whoever waits is told; there may be nobody by now
