"""Reading what a call is given as a stream: an item at a time, and only as many as the task allows.

Each stream is read where it belongs: one that may block in a thread of its own, which starts when the task takes the
first item and ends with the stream or the task; an asynchronous one on the loop it was given on. Either sees the
context of the caller. An item is packed before the next one is taken.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import queue
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine, Generator
from contextvars import Context
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from skyward_jupyter.errors import NoRoom
from skyward_jupyter.tasks import begin
from skyward_jupyter.wire.blame import explain
from skyward_jupyter.wire.blobs import Blob
from skyward_jupyter.wire.feeds import Item

if TYPE_CHECKING:
    from skyward_jupyter.actors.payloads import Payloads

log = logging.getLogger("skyward")
_IDLE = (inspect.GEN_CREATED, inspect.GEN_CLOSED)


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """An argument that is a stream.

    Attributes
    ----------
    name
        Of its parameter.
    values
        What to read: an iterable, or an asynchronous iterator.
    context
        Of the caller.
    loop
        The loop that an asynchronous iterator is read on; None for the one of the runtime.
    used_up
        Whether reading it uses it up, as with every iterator; a list can be read again.
    close
        Ends what is behind an asynchronous iterator that is no generator, where that may be ended.
    """

    name: str
    values: Any
    context: Context
    loop: asyncio.AbstractEventLoop | None = None
    used_up: bool = True
    close: Callable[[], object] | None = None

    @property
    def asynchronous(self) -> bool:
        """Whether it is read by ``async for``."""
        return hasattr(self.values, "__anext__")


@dataclass(frozen=True, slots=True)
class Taken:
    """What was read of a source: an item and its blobs, or, with neither, the end."""

    item: Item | None
    blobs: tuple[Blob, ...] = ()
    error: BaseException | None = None


class Pulling:
    """What reading in a thread and reading on a loop have in common."""

    def __init__(self, source: Source, payloads: Payloads, found: Callable[[Taken], None]) -> None:
        self.source = source
        self._payloads = payloads
        self._found = found
        self._items = self._size = 0
        self._allowed: tuple[int, int] = 0, 0
        self._closed = False

    def _may_take(self) -> bool:
        items, size = self._allowed
        return self._items < items and self._size < size

    def _take(self, value: object) -> None:
        """Pack an item, which the source may change once it goes on."""
        try:
            data, blobs = self._payloads.pack_once(value)
        except NoRoom:
            raise
        except Exception:
            raise explain(f"an item of {self.source.name}", value) from None
        size = len(data) + sum(blob.size for blob in blobs)
        self._items += 1
        self._size += size
        self._found(Taken((data, size), blobs))


class ThreadPull(Pulling):
    """Reads an iterable in a thread, which may block for as long as it likes."""

    def __init__(
        self, source: Source, payloads: Payloads, found: Callable[[Taken], None], _: asyncio.AbstractEventLoop
    ) -> None:
        super().__init__(source, payloads, found)
        self._grants: queue.SimpleQueue[tuple[int, int] | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None

    def grant(self, items: int, size: int) -> None:
        """Let it read on."""
        self._grants.put((items, size))
        if self._thread is None:
            self._start(self._run)

    def close(self) -> None:
        """End it; a generator that has begun is closed in the thread that read it, or in one made for that."""
        if self._closed:
            return
        self._closed = True
        self._grants.put(None)
        if self._thread is None and isinstance(self.source.values, Generator):
            if inspect.isgenerator(self.source.values) and inspect.getgeneratorstate(self.source.values) in _IDLE:
                self.source.values.close()
            else:
                self._start(self._end)

    def _start(self, work: Callable[[], None]) -> None:
        name = f"skyward-feed-{self.source.name}"
        self._thread = threading.Thread(target=self.source.context.copy().run, args=(work,), name=name, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            values = iter(self.source.values)
            while self._granted():
                try:
                    value = next(values)
                except StopIteration:
                    break
                self._take(value)
                del value
            self._found(Taken(None))
        except BaseException as error:  # the user's own, of any kind: the call raises it
            self._found(Taken(None, error=error))
        finally:
            self._end()

    def _granted(self) -> bool:
        """Wait until it may take another item; False when nobody wants one any more."""
        while not self._closed and not self._may_take():
            grant = self._grants.get()
            if grant is not None:
                self._allowed = grant
        return not self._closed

    def _end(self) -> None:
        if isinstance(self.source.values, Generator):
            try:
                self.source.values.close()
            except BaseException:
                log.exception("the generator given as %s raised while it was closed", self.source.name)


class LoopPull(Pulling):
    """Reads an asynchronous iterator on its loop."""

    def __init__(
        self,
        source: Source,
        payloads: Payloads,
        found: Callable[[Taken], None],
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        super().__init__(source, payloads, found)
        self._loop = source.loop or loop
        self._more = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def grant(self, items: int, size: int) -> None:
        """Let it read on."""
        self._tell(self._let, (items, size))

    def close(self) -> None:
        """End it."""
        if not self._closed:
            self._closed = True
            self._tell(self._stop)

    def _tell(self, what: Callable[..., object], *args: object) -> None:
        try:
            self._loop.call_soon_threadsafe(what, *args)
        except RuntimeError as error:  # its loop is closed
            self._found(Taken(None, error=error))

    def _let(self, allowed: tuple[int, int]) -> None:
        self._allowed = allowed
        self._more.set()
        if self._task is None and not self._closed:
            self._task = self._begin(self._run())

    def _stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
        else:
            self._task = self._begin(self._end())

    def _begin(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        what = f"reading {self.source.name}"
        return begin(work, what, loop=self._loop, context=self.source.context.copy())

    async def _run(self) -> None:
        values: AsyncIterator[Any] = aiter(self.source.values)
        try:
            while await self._granted():
                try:
                    value = await anext(values)
                except StopAsyncIteration:
                    break
                self._take(value)
            self._found(Taken(None))
        except asyncio.CancelledError:
            self._found(Taken(None))
            raise
        except BaseException as error:
            self._found(Taken(None, error=error))
        finally:
            await self._end()

    async def _granted(self) -> bool:
        while not self._may_take():
            self._more.clear()
            await self._more.wait()
        return True

    async def _end(self) -> None:
        try:
            if isinstance(self.source.values, AsyncGenerator):
                await self.source.values.aclose()
            elif self.source.close is not None:
                self.source.close()
        except Exception:
            log.exception("the asynchronous generator given as %s raised while it was closed", self.source.name)
