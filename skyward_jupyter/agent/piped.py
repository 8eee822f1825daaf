"""What code of a slot writes past Python, as its agent takes it in: C code, and child processes.

It belongs to the task that runs. Text that Python code wrote before it, and that is still on its way from the slot,
goes first; see `skyward_jupyter.agent.pipes`.
"""

from __future__ import annotations

import asyncio
import codecs
import contextlib
import os
from collections.abc import Callable

from skyward_jupyter.agent.pipes import STREAMS, Page, Watch, unread

#: Seconds it is gathered for.
_GATHER = 0.03
#: So much is handed on at once, and so much waits at most for text of a slot that cannot send it.
_MUCH, _MOST = 256 * 1024, 16 * 2**20
_PIECE = 64 * 1024


class Piped:
    """The pipes of one slot's process.

    Parameters
    ----------
    ends
        The descriptors to read, and that of the page.
    coming
        Descriptors by which the slots of the process send their own text.
    said
        Takes text of a stream.
    """

    def __init__(
        self, ends: tuple[int, int, int], coming: Callable[[], list[int]], said: Callable[[str, str], None]
    ) -> None:
        out, err, page = ends
        self._page = Page(page)
        self._fds = (out, err)
        self._coming = coming
        self._said = said
        self._chunks: list[tuple[int, bytes]] = []
        self._size = 0
        self._told = [0, 0]
        self._decoders = [codecs.getincrementaldecoder("utf-8")("replace") for _ in STREAMS]
        self._tick: asyncio.TimerHandle | None = None
        self._watch = Watch(self._fds)
        self._loop = asyncio.get_running_loop()
        for stream, fd in enumerate(self._fds):
            os.set_blocking(fd, False)
            self._loop.add_reader(fd, self._readable, stream)

    def reach(self, marks: tuple[int, int]) -> None:
        """Hand on what went through the pipes up to these places."""
        self._take()
        while (found := self._next(marks)) is not None:
            self._tell(*found)

    def drain(self) -> None:
        """Hand on what went through them so far: a task has ended.

        A character of which only a part came stays: a child process may go on and write the rest.
        """
        self._take()
        self._tell_all()

    def end(self) -> None:
        """Hand on all that went through them: nobody writes any more."""
        self.drain()
        for stream, decoder in enumerate(self._decoders):
            if text := decoder.decode(b"", final=True):
                self._said(STREAMS[stream], text)

    def close(self) -> None:
        """Close them; the process has ended."""
        if self._tick is not None:
            self._tick.cancel()
        for fd in self._fds:
            self._loop.remove_reader(fd)
            os.close(fd)
        self._page.close()

    def _readable(self, stream: int) -> None:
        if not self._read(stream):
            self._loop.remove_reader(self._fds[stream])
            self._watch.leave(self._fds[stream])
        if self._size > _MUCH and self._may_tell:
            self._tell_all()
        elif self._tick is None and self._chunks:
            self._tick = self._loop.call_later(_GATHER, self._gathered)

    def _gathered(self) -> None:
        self._tick = None
        if self._may_tell:
            self._tell_all()
        elif self._chunks:
            self._tick = self._loop.call_later(_GATHER, self._gathered)

    @property
    def _may_tell(self) -> bool:
        """Whether no text of the slots is on its way, which may have been written before."""
        return self._size > _MOST or not (self._page.held or any(map(unread, self._coming())))

    def _take(self) -> None:
        for fd in self._watch.ready():
            self._read(self._fds.index(fd))

    def _read(self, stream: int) -> bool:
        """Read what is there; False at the end of the stream."""
        with contextlib.suppress(BlockingIOError):
            data = self._page.take(stream, self._fds[stream])
            if not data:
                return False
            self._chunks.append((stream, data))
            self._size += len(data)
        return True

    def _next(self, marks: tuple[int, int]) -> tuple[int, bytes] | None:
        """Take out the next chunk, or the part of it, that comes before these places."""
        for place, (stream, data) in enumerate(self._chunks):
            wanted = marks[stream] - self._told[stream]
            if wanted <= 0:
                continue
            if wanted < len(data):
                self._chunks[place] = stream, data[wanted:]
            else:
                del self._chunks[place]
            return stream, data[:wanted]
        return None

    def _tell_all(self) -> None:
        chunks, self._chunks = self._chunks, []
        while chunks:
            stream = chunks[0][0]
            end = next((place for place, chunk in enumerate(chunks) if chunk[0] != stream), len(chunks))
            self._tell(stream, b"".join(data for _, data in chunks[:end]))
            del chunks[:end]

    def _tell(self, stream: int, data: bytes) -> None:
        self._told[stream] += len(data)
        self._size -= len(data)
        text = self._decoders[stream].decode(data)
        for start in range(0, len(text), _PIECE):
            self._said(STREAMS[stream], text[start : start + _PIECE])
