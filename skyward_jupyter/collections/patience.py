"""How long is waited for an answer of the cluster.

An answer that has come counts before the clock: of a time in which this process stood still, was stopped or had its
loop blocked, only a moment is counted, and what has arrived meanwhile is looked at before anything ends. And a call
ends by its own clock whatever becomes of what it waits for: asked again and again, it does not rely on being cancelled.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextvars import ContextVar
from types import TracebackType
from typing import Self

#: Seconds between two looks at the clock, and as what any longer time between two looks counts.
_LOOK, _MOST = 0.25, 0.5

#: When the call that this runs in is to end, by its loop's clock.
_ends: ContextVar[float] = ContextVar("_ends", default=float("inf"))


class Patience:
    """Ends a block after some seconds, by TimeoutError, as `asyncio.timeout` does, but for the time it stood still."""

    def __init__(self, seconds: float) -> None:
        self._left = seconds
        self._timeout = asyncio.timeout(None)

    async def __aenter__(self) -> Self:
        await self._timeout.__aenter__()
        self._loop = asyncio.get_running_loop()
        self._looked = self._loop.time()
        self._next = self._loop.call_later(min(_LOOK, self._left), self._look)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> None:
        self._next.cancel()
        await self._timeout.__aexit__(kind, error, tb)

    def _look(self) -> None:
        now = self._loop.time()
        passed, self._looked = now - self._looked, now
        self._left -= min(passed, _MOST)
        if self._left > 0:
            self._next = self._loop.call_later(min(_LOOK, self._left), self._look)
        elif passed > _MOST:
            self._next = self._loop.call_later(_LOOK, self._look)
        else:
            self._timeout.reschedule(now)  # after what is due already, such as an answer


@contextlib.asynccontextmanager
async def bounded(seconds: float) -> AsyncIterator[None]:
    """End the block after some seconds; what it asks again and again sees to that itself, by `over`."""
    token = _ends.set(min(_ends.get(), asyncio.get_running_loop().time() + seconds))
    try:
        async with Patience(seconds):
            yield
    finally:
        _ends.reset(token)


def over() -> bool:
    """Whether the call that this runs in has had its time."""
    return asyncio.get_running_loop().time() >= _ends.get()
