"""The frames between an agent and a slot: a header (length, kind, task) and a body, over a Unix stream socket."""

from __future__ import annotations

import select
import socket
import struct
from collections.abc import Iterator
from enum import IntEnum

HEADER = struct.Struct("<IBQ")
#: What comes before the yields of a frame that has several: how many.
COUNT = struct.Struct("<I")
#: What lets a generator go on: how many more it may yield, and how many in all were read.
CREDIT = struct.Struct("<IQ")
SECONDS = struct.Struct("<d")
#: Read at a time: a buffer that the allocator keeps; a larger one it asks the system for, and gives back, each time.
_READ = 64 * 1024


class Order(IntEnum):
    """What an agent sends a slot. What a slot sends back are `skyward_jupyter.wire.events.Kind`."""

    RUN = 1
    CREDIT = 2
    CLOSE = 3
    INTERRUPT = 4
    PEERS = 5
    FEED = 6
    CALM = 7
    PROJECT = 8
    ASK = 9


type Frame = tuple[int, int, bytes]


def frame(kind: int, task: int, body: bytes = b"") -> bytes:
    """One frame, ready to send."""
    return HEADER.pack(len(body), kind, task) + body


class Parser:
    """Cuts a stream of bytes into frames."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[Frame]:
        """The frames that `data` completes: (kind, task, body)."""
        self._buffer += data
        start, size = 0, len(self._buffer)
        while size - start >= HEADER.size:
            length, kind, task = HEADER.unpack_from(self._buffer, start)
            end = start + HEADER.size + length
            if size < end:
                break
            yield kind, task, bytes(self._buffer[start + HEADER.size : end])
            start = end
        if start:
            del self._buffer[:start]


class Reader:
    """Reads frames from a blocking socket."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._parser = Parser()
        self._ready: list[Frame] = []

    def fileno(self) -> int:
        """For `select`."""
        return self._sock.fileno()

    def next(self) -> Frame | None:
        """The next frame, waiting for it; None once the other end is gone."""
        while not self._ready:
            try:
                data = self._sock.recv(_READ)
            except OSError:
                return None
            if not data:
                return None
            self._ready.extend(self._parser.feed(data))
        return self._ready.pop(0)

    def poll(self) -> Frame | None:
        """The next frame if it is already there."""
        if not self._ready and not select.select([self._sock], [], [], 0)[0]:
            return None
        return self.next()
