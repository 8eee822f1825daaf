"""Events of a pool one by one, for `async for` and for `for`."""

from __future__ import annotations

import asyncio
import time
import weakref
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator

from skyward_jupyter.actors.bus import Bus, Listener
from skyward_jupyter.events import Event, EventsDropped
from skyward_jupyter.runtime.bridge import bridge, runtime, wait
from skyward_jupyter.runtime.forks import depth, left_behind, refuse


class EventStream:
    """The events of a pool from when it was made until the pool stops, on any event loop or thread.

    It keeps a bounded number of events for a slow reader; when there are more, the oldest are dropped and one
    `EventsDropped` stands for them.
    """

    def __init__(self, bus: Bus, kinds: tuple[type[Event], ...], buffer: int, *, over: bool) -> None:
        self._bus = bus
        self._kept: deque[Event] = deque()
        self._buffer = buffer
        self._dropped = 0
        self._over = over
        self._depth = depth()
        self._news = asyncio.Event()
        self._listener: Listener | None = None if over else bus.listen(kinds, *_weakly(self))

    def __aiter__(self) -> AsyncIterator[Event]:
        return self

    async def __anext__(self) -> Event:
        __tracebackhide__ = True
        refuse(self._depth, "this stream")
        event = await bridge(self._next())
        if event is None:
            raise StopAsyncIteration
        return event

    def __iter__(self) -> Iterator[Event]:
        return self

    def __next__(self) -> Event:
        __tracebackhide__ = True
        refuse(self._depth, "this stream")
        event = wait(self._next(), "async for")
        if event is None:
            raise StopIteration
        return event

    def close(self) -> None:
        """Listen no more; what was kept can still be read."""
        if self._listener is not None and self._listener.active and not left_behind(self._depth):
            self._listener.active = False
            runtime().call_soon(self._close)

    def __del__(self) -> None:
        listener = getattr(self, "_listener", None)
        gone = listener is None or not listener.active or left_behind(self._depth)
        if listener is not None and not gone and not runtime().loop.is_closed():
            listener.active = False
            runtime().call_soon(self._bus.remove, listener)

    async def _next(self) -> Event | None:
        """The next event; None at the end."""
        while not self._kept and not self._over:
            self._news.clear()
            await self._news.wait()
        if self._dropped:
            count, self._dropped = self._dropped, 0
            return EventsDropped(time.time(), self._bus.pool, count)
        return self._kept.popleft() if self._kept else None

    def _take(self, event: Event) -> None:
        """Keep an event for the reader."""
        if len(self._kept) >= self._buffer:
            self._kept.popleft()
            self._dropped += 1
        self._kept.append(event)
        self._news.set()

    def _end(self) -> None:
        """Nothing comes any more."""
        self._over = True
        self._news.set()

    def _close(self) -> None:
        if self._listener is not None:
            self._bus.remove(self._listener)
        self._end()


def _weakly(stream: EventStream) -> tuple[Callable[[Event], None], Callable[[], None]]:
    """What gives events to a stream, and ends one, that is still read: the bus alone does not keep it."""
    kept = weakref.ref(stream)

    def take(event: Event) -> None:
        if (found := kept()) is not None:
            found._take(event)

    def end() -> None:
        if (found := kept()) is not None:
            found._end()

    return take, end
