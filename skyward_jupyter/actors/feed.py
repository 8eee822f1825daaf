"""What a call is given as streams, on its way to the task: read as fast as the task reads, and no faster.

Each stream is read where it belongs: one that may block in a thread of its own, which starts when the task takes the
first item and ends with the stream or the task; an asynchronous one on the loop it was given on. Either sees the
context of the caller. An item is packed before the next one is taken, and leaves at once when nothing left a moment
before; what comes in between leaves together.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import queue
import threading
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Generator, Iterable
from contextvars import Context
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from skyward_jupyter.errors import NoRoom
from skyward_jupyter.wire.blame import explain
from skyward_jupyter.wire.blobs import Blob
from skyward_jupyter.wire.feeds import Grant, Item, packed_error, piece
from skyward_jupyter.wire.messages import Feed

if TYPE_CHECKING:
    from skyward_jupyter.actors.payloads import Payloads

log = logging.getLogger("skyward")
#: Items and bytes in one message.
PIECE_ITEMS, PIECE_BYTES = 4096, 512 * 1024
#: Least seconds between two messages of a stream.
GATHER = 0.002


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
class _Taken:
    """What was read of a source: an item and its blobs, or, with neither, the end."""

    item: Item | None
    blobs: tuple[Blob, ...] = ()
    error: BaseException | None = None


class _Pulling:
    """What reading in a thread and reading on a loop have in common."""

    def __init__(self, source: Source, payloads: Payloads, found: Callable[[_Taken], None]) -> None:
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
        self._found(_Taken((data, size), blobs))


class _ThreadPull(_Pulling):
    """Reads an iterable in a thread, which may block for as long as it likes."""

    def __init__(
        self, source: Source, payloads: Payloads, found: Callable[[_Taken], None], _: asyncio.AbstractEventLoop
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
            self._found(_Taken(None))
        except BaseException as error:  # the user's own, of any kind: the call raises it
            self._found(_Taken(None, error=error))
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


_IDLE = (inspect.GEN_CREATED, inspect.GEN_CLOSED)


class _LoopPull(_Pulling):
    """Reads an asynchronous iterator on its loop."""

    def __init__(
        self,
        source: Source,
        payloads: Payloads,
        found: Callable[[_Taken], None],
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
            self._found(_Taken(None, error=error))

    def _let(self, allowed: tuple[int, int]) -> None:
        self._allowed = allowed
        self._more.set()
        if self._task is None and not self._closed:
            self._task = self._loop.create_task(self._run(), context=self.source.context.copy())

    def _stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
        else:
            self._task = self._loop.create_task(self._end(), context=self.source.context.copy())

    async def _run(self) -> None:
        values: AsyncIterator[Any] = aiter(self.source.values)
        try:
            while await self._granted():
                try:
                    value = await anext(values)
                except StopAsyncIteration:
                    break
                self._take(value)
            self._found(_Taken(None))
        except asyncio.CancelledError:
            self._found(_Taken(None))
            raise
        except BaseException as error:
            self._found(_Taken(None, error=error))
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


class _Stream:
    """One stream of a task on its way: what was read and not sent, and what was sent and not read over there."""

    def __init__(self, number: int, source: Source, feeds: Feeds) -> None:
        self._number = number
        self._feeds = feeds
        self._found: deque[_Taken] = deque()
        self._told = False
        self._arrived = asyncio.Event()
        self._unread: deque[tuple[int, tuple[Blob, ...]]] = deque()
        self._sent = 0
        self._wanted = 0
        self._pieces = 0
        self._closed = False
        self._pumping: asyncio.Task[None] | None = None
        self._loop = asyncio.get_running_loop()
        pull = _LoopPull if source.asynchronous else _ThreadPull
        self._pull = pull(source, feeds.payloads, self._take, self._loop)

    def grant(self, grant: Grant) -> None:
        """The task wants more."""
        while self._unread and self._unread[0][0] <= grant.taken:
            self._unread.popleft()
        self._wanted = grant.items
        if self._pumping is None:
            self._pumping = self._loop.create_task(self._pump())
        self._pull.grant(grant.items, grant.size)

    def close(self) -> None:
        """The task has ended: stop reading, and forget what it has not read."""
        self._closed = True
        self._pull.close()
        if self._pumping is not None:
            # Kept, its error would keep alive every frame it ended in, and with them a stream that somebody has left.
            self._pumping.cancel()
            self._pumping = None
        for _, blobs in self._unread:
            self._feeds.forget(blobs)
        self._forget_found()

    def _forget_found(self) -> None:
        """What was read and will not be sent; also called where the source is read."""
        while self._found:
            try:
                self._feeds.payloads.forget(self._found.popleft().blobs, None)
            except IndexError:
                return  # both were here

    def _take(self, taken: _Taken) -> None:
        """Called where the source is read."""
        self._found.append(taken)
        if self._closed:
            self._forget_found()
        elif not self._told:
            self._told = True
            try:
                self._loop.call_soon_threadsafe(self._arrived.set)
            except RuntimeError:
                return  # the runtime is over

    async def _pump(self) -> None:
        while True:
            await self._arrived.wait()
            self._arrived.clear()
            self._told = False
            while self._found:
                taken = self._piece()
                try:
                    await self._feeds.supply([blob for each in taken for blob in each.blobs])
                except Exception as error:  # it cannot be brought there: the task is told instead of waiting
                    taken = [_Taken(None, error=error)]
                if self._send(taken):
                    return
            await asyncio.sleep(GATHER)

    def _piece(self) -> list[_Taken]:
        taken: list[_Taken] = []
        size = 0
        while self._found and len(taken) < PIECE_ITEMS and size < PIECE_BYTES:
            taken.append(self._found.popleft())
            item = taken[-1].item
            if item is None:
                break
            size += len(item[0])
            self._sent += 1
            if taken[-1].blobs:
                self._unread.append((self._sent, taken[-1].blobs))
        return taken

    def _send(self, taken: list[_Taken]) -> bool:
        """Send a piece; returns whether it was the last."""
        end = taken[-1] if taken[-1].item is None else None
        body = piece([each.item for each in taken if each.item is not None])
        error = b""
        if end is not None and end.error is not None:
            self._feeds.error = self._feeds.error or end.error
            error = packed_error(end.error)
        full = not self._found and self._sent >= self._wanted
        self._feeds.give(Feed(self._feeds.task, self._number, self._pieces, body, end is not None, error, full))
        self._pieces += 1
        return end is not None


class Feeds:
    """The streams of one task.

    Parameters
    ----------
    give
        Sends a piece to the node that has the task.
    supply
        Brings blobs to that node.
    forget
        Says that blobs will not be read.

    Attributes
    ----------
    error
        What a source raised, first.
    begun
        Whether the task has asked for anything: its sources may not be the same any more.
    """

    def __init__(
        self,
        task: int,
        sources: Iterable[Source],
        payloads: Payloads,
        give: Callable[[Feed], object],
        supply: Callable[[list[Blob]], Awaitable[None]],
        forget: Callable[[tuple[Blob, ...]], object],
    ) -> None:
        self.payloads = payloads
        self.supply = supply
        self.forget = forget
        self.error: BaseException | None = None
        self.begun = False
        self.task = task
        self.give = give
        self._closed = False
        self._streams = [_Stream(number, source, self) for number, source in enumerate(sources)]

    def __len__(self) -> int:
        return len(self._streams)

    def grant(self, grant: Grant) -> None:
        """The task wants more of a stream."""
        if not self._closed:
            self.begun = True
            self._streams[grant.stream].grant(grant)

    def close(self) -> None:
        """The task has ended."""
        if not self._closed:
            self._closed = True
            for stream in self._streams:
                stream.close()
