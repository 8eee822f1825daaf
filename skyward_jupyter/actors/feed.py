"""What a call is given as streams, on its way to the task: read as fast as the task reads, and no faster.

An item leaves at once when nothing left a moment before; what is read in between leaves together.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from typing import TYPE_CHECKING

from skyward_jupyter.actors.pulling import LoopPull, Source, Taken, ThreadPull
from skyward_jupyter.tasks import begin
from skyward_jupyter.wire.blobs import Blob
from skyward_jupyter.wire.feeds import Grant, packed_error, piece
from skyward_jupyter.wire.messages import Feed

if TYPE_CHECKING:
    from skyward_jupyter.actors.payloads import Payloads

#: Items and bytes in one message.
PIECE_ITEMS, PIECE_BYTES = 4096, 512 * 1024
#: Least seconds between two messages of a stream.
GATHER = 0.002


class _Stream:
    """One stream of a task on its way: what was read and not sent, and what was sent and not read over there."""

    def __init__(self, number: int, source: Source, feeds: Feeds) -> None:
        self._number = number
        self._feeds = feeds
        self._found: deque[Taken] = deque()
        self._told = False
        self._arrived = asyncio.Event()
        self._unread: deque[tuple[int, tuple[Blob, ...]]] = deque()
        self._sent = 0
        self._wanted = 0
        self._pieces = 0
        self._closed = False
        self._pumping: asyncio.Task[None] | None = None
        self._loop = asyncio.get_running_loop()
        pull = LoopPull if source.asynchronous else ThreadPull
        self._pull = pull(source, feeds.payloads, self._take, self._loop)

    def grant(self, grant: Grant) -> None:
        """The task wants more."""
        while self._unread and self._unread[0][0] <= grant.taken:
            self._unread.popleft()
        self._wanted = grant.items
        if self._pumping is None:
            self._pumping = begin(self._pump(), "sending a stream to a task", self._failed)
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

    def _take(self, taken: Taken) -> None:
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
                    taken = [Taken(None, error=error)]
                if self._send(taken):
                    return
            await asyncio.sleep(GATHER)

    def _failed(self, error: BaseException) -> None:
        """Tell the task that nothing more comes."""
        self._pumping = None
        self._send([Taken(None, error=error)])

    def _piece(self) -> list[Taken]:
        taken: list[Taken] = []
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

    def _send(self, taken: list[Taken]) -> bool:
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
