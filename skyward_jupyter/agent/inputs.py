"""Streams that a task reads while it runs: iterators whose items come from the kernel.

While a task with such arguments runs, a thread of its own reads what the agent sends the slot: items go to their
stream, everything else is kept for the slot. So a task that waits for credit to yield does not hold up its input, nor
the other way round. Nothing is asked for before the task takes the first item, and how much may be on its way then
grows only while the task has to wait for it.
"""

from __future__ import annotations

import asyncio
import pickle
import queue
import select
import socket
from collections import deque
from collections.abc import AsyncIterator, Buffer, Callable, Iterator
from typing import Any

from skyward_jupyter.agent.frames import Frame, Order, Reader
from skyward_jupyter.agent.helpers import helper
from skyward_jupyter.wire.blobs import Blob, BlobStore
from skyward_jupyter.wire.codec import unpack
from skyward_jupyter.wire.feeds import BYTES_WINDOW, FIRST_WINDOW, LAST_WINDOW, Fed, Grant, Item, error_of, items_of
from skyward_jupyter.wire.messages import Feed

#: How long a wait may not notice that its thread was told to raise something (seconds).
_BEAT = 0.1

_OVER = Feed(0, 0, -1, b"", last=True)


class Input[T](Iterator[T], AsyncIterator[T]):
    """One stream, for ``for`` and for ``async for``. Read it in one place at a time.

    Parameters
    ----------
    want
        Sends a grant to the kernel.
    """

    def __init__(self, stream: int, store: BlobStore, want: Callable[[Grant], None]) -> None:
        self._stream = stream
        self._store = store
        self._want = want
        self._pieces: queue.SimpleQueue[Feed] = queue.SimpleQueue()
        self._ready: deque[Item] = deque()
        self._end: Feed | None = None
        self._window = FIRST_WINDOW
        self._taken = self._taken_size = 0
        self._granted = self._granted_size = 0
        self._full = False
        self.raised: BaseException | None = None

    def __iter__(self) -> Input[T]:
        return self

    def __next__(self) -> T:
        while not self._ready:
            if self._end is not None:
                raise self._ended(self._end)
            self._wait()
        data, size = self._ready.popleft()
        self._taken += 1
        self._taken_size += size
        if self._end is None and self._half_used():
            self._grant()
        item: Any = unpack(data, self._open)
        return item  # type: ignore[no-any-return]

    def __aiter__(self) -> Input[T]:
        return self

    async def __anext__(self) -> T:
        if not self._ready and self._end is None:
            await asyncio.to_thread(self._wait_for_more)
        try:
            return next(self)
        except StopIteration:
            raise StopAsyncIteration from None

    def feed(self, piece: Feed) -> None:
        """Take what arrived; called from another thread."""
        self._pieces.put(piece)

    def _wait_for_more(self) -> None:
        while not self._ready and self._end is None:
            self._wait()

    def _wait(self) -> None:
        """Take in the next piece, asking for more first."""
        try:
            piece = self._pieces.get_nowait()
        except queue.Empty:
            piece = self._awaited()
        self._ready.extend(items_of(piece.body))
        self._full = piece.full
        if piece.last:
            self._end = piece

    def _awaited(self) -> Feed:
        if self._full and self._window < LAST_WINDOW:
            self._full = False
            self._window *= 2
            self._grant()
        elif not self._granted or self._half_used():
            self._grant()
        while True:
            try:
                return self._pieces.get(timeout=_BEAT)
            except queue.Empty:
                continue

    def _half_used(self) -> bool:
        return (
            2 * (self._granted - self._taken) <= self._window
            or 2 * (self._granted_size - self._taken_size) <= BYTES_WINDOW
        )

    def _grant(self) -> None:
        self._granted = self._taken + self._window
        self._granted_size = self._taken_size + BYTES_WINDOW
        self._want(Grant(self._stream, self._granted, self._granted_size, self._taken))

    def _ended(self, end: Feed) -> BaseException:
        if end is _OVER:
            return RuntimeError("this stream belongs to a task that has ended, or to a kernel that is gone")
        if not end.error:
            return StopIteration()
        if self.raised is None:
            self.raised = error_of(end.error)
        return self.raised

    def _open(self, blob: Blob) -> Buffer:
        content = self._store.open(blob)
        self._store.drop(blob.name)
        return content


class Inputs:
    """The streams of one task, and the thread that reads for them."""

    def __init__(self, reader: Reader, count: int, store: BlobStore, want: Callable[[Grant], None]) -> None:
        self._reader = reader
        self._streams: list[Input[Any]] = [Input(number, store, want) for number in range(count)]
        self._others: queue.SimpleQueue[Frame | None] = queue.SimpleQueue()
        self._wake, self._waker = socket.socketpair()
        self._thread = helper("skyward-inputs", self._run)

    def place(self, value: object) -> object:
        """The stream that an argument stands for, or the argument."""
        return self._streams[value.stream] if isinstance(value, Fed) else value

    def raised(self, error: BaseException) -> bool:
        """Whether `error` is the one that a stream ended with."""
        return any(stream.raised is error for stream in self._streams)

    def next(self) -> Frame | None:
        """The next order for the slot, waiting for it; None once the agent is gone."""
        while True:
            try:
                return self._others.get(timeout=_BEAT)  # a signal that another thread got does not wake this one
            except queue.Empty:
                continue

    def poll(self) -> Frame | None:
        """The next order for the slot if it is already there."""
        try:
            return self._others.get_nowait()
        except queue.Empty:
            return None

    def close(self) -> Iterator[Frame]:
        """Stop reading; gives the orders for the slot that nobody took."""
        self._waker.close()
        self._thread.join()
        self._wake.close()
        for stream in self._streams:
            stream.feed(_OVER)
        while (order := self.poll()) is not None:
            yield order

    def _run(self) -> None:
        while True:
            order = self._reader.poll()
            if order is None:
                if self._wake.fileno() in select.select([self._reader.fileno(), self._wake.fileno()], [], [])[0]:
                    return
                if (order := self._reader.next()) is None:
                    break
            kind, _, body = order
            if kind == Order.FEED:
                piece: Feed = pickle.loads(body)
                self._streams[piece.stream].feed(piece)
            else:
                self._others.put(order)
        self._others.put(None)
        for stream in self._streams:
            stream.feed(_OVER)
