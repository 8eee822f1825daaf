"""Messages between a slot and its agent's collections: their length and their bytes, over a Unix socket.

An empty message from a slot says that it has the answer to its last call.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

_LENGTH = struct.Struct("<Q")

#: What says that an answer has been had.
HEARD = _LENGTH.pack(0)


def piece(body: bytes) -> bytes:
    """A message as it is sent."""
    return _LENGTH.pack(len(body)) + body


class Cutter:
    """Cuts a stream of bytes into messages."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[bytes]:
        """The messages that `data` completes."""
        self._buffer += data
        while len(self._buffer) >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(self._buffer)
            end = _LENGTH.size + length
            if len(self._buffer) < end:
                return
            body = bytes(memoryview(self._buffer)[_LENGTH.size : end])
            del self._buffer[:end]
            yield body
