"""The done-callbacks of an executor's futures: called one after the other, in the order in which their jobs ended.

They have a thread of their own, so one that blocks stops no job, and other futures get their results. The callbacks
behind it go on in another thread after a moment; not when the program ends, as Python starts no threads then. What a
callback raises is logged as `concurrent.futures` does.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import queue
import threading
import time
from collections.abc import Callable
from typing import Any

#: Seconds after which the callbacks behind one that still runs no longer wait for it.
PATIENCE = 0.2

type Callback = Callable[[Any], object]

log = logging.getLogger("concurrent.futures")


class Callbacks:
    """Calls callbacks. Used on the loop of the executor, but for `here`.

    Parameters
    ----------
    name
        Of its threads.
    rested
        Called on the loop whenever none is left.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, name: str, rested: Callable[[], None]) -> None:
        self._loop = loop
        self._name = name
        self._rested = rested
        self._lane = _Lane(self, name, self._tell)  # now, as at the program's end none could be started
        self._left = 0
        self._looking: asyncio.TimerHandle | None = None

    @property
    def idle(self) -> bool:
        """Whether none is to be called, and none runs."""
        return not self._left

    def here(self) -> bool:
        """Whether the caller is one of the callbacks."""
        thread = threading.current_thread()
        return isinstance(thread, _Lane) and thread.callbacks is self

    def call(self, function: Callback, future: object) -> None:
        """Call ``function(future)`` when those before have been called."""
        self._left += 1
        self._lane.waiting.put((function, future))
        self._look_later()

    def close(self) -> None:
        """End its threads."""
        self._lane.waiting.put(None)
        if self._looking is not None:
            self._looking.cancel()

    def _look_later(self) -> None:
        if self._looking is None and not self._lane.waiting.empty():
            self._looking = self._loop.call_later(PATIENCE, self._look)

    def _look(self) -> None:
        """Have the others go on elsewhere if one has taken long."""
        self._looking = None
        if self._lane.blocked:
            with contextlib.suppress(RuntimeError):  # the program ends
                self._replace()
        self._look_later()

    def _replace(self) -> None:
        blocked, self._lane = self._lane, _Lane(self, self._name, self._tell)
        with contextlib.suppress(queue.Empty):
            while True:
                self._lane.waiting.put(blocked.waiting.get_nowait())
        blocked.waiting.put(None)

    def _tell(self) -> None:
        self._loop.call_soon_threadsafe(self._ended)

    def _ended(self) -> None:
        self._left -= 1
        if not self._left:
            self._rested()


class _Lane(threading.Thread):
    """One thread, and the callbacks that wait for it."""

    def __init__(self, callbacks: Callbacks, name: str, ended: Callable[[], None]) -> None:
        super().__init__(name=name, daemon=True)
        self.callbacks = callbacks
        self.waiting: queue.SimpleQueue[tuple[Callback, object] | None] = queue.SimpleQueue()
        self._ended = ended
        self._since = 0.0
        self.start()

    @property
    def blocked(self) -> bool:
        """Whether one has run for a while, and others wait."""
        since = self._since
        return bool(since) and time.monotonic() - since >= PATIENCE and not self.waiting.empty()

    def run(self) -> None:
        """Call them."""
        while (given := self.waiting.get()) is not None:
            self._since = time.monotonic()
            self._call(*given)
            self._since = 0.0
            del given
            self._ended()

    @staticmethod
    def _call(function: Callback, future: object) -> None:
        try:
            function(future)
        except BaseException:
            log.exception("exception calling callback for %r", future)
