"""Short JSON messages, with file descriptors, over a Unix stream socket.

Descriptors arrive in the order they were sent, so a message that says how many it carries takes that many from the
front of the queue, however the bytes were cut.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import struct
import tempfile
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any

type Message = dict[str, Any]

_LENGTH = struct.Struct("<I")
_READ = 256 * 1024
_MOST_FDS = 253
#: Room for the path of a Unix socket in its address, on the system that has least.
_LONGEST = 100


def encoded(message: Message) -> bytes:
    """A message as it is sent."""
    body = json.dumps(message).encode()
    return _LENGTH.pack(len(body)) + body


@contextlib.contextmanager
def short(path: str) -> Iterator[str]:
    """`path`, or a way to it that the address of a Unix socket has room for."""
    if len(os.fsencode(path)) <= _LONGEST:
        yield path
        return
    with tempfile.TemporaryDirectory(prefix="skyward-", dir="/tmp") as folder:
        link = Path(folder) / "to"
        link.symlink_to(Path(path).parent)
        yield str(link / Path(path).name)


def bound(path: str) -> socket.socket:
    """Return a Unix socket at `path`, instead of one that a process before this one left there."""
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    with short(path) as place:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(place)
        sock.bind(place)
    return sock


class Channel:
    """One end of such a socket."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self._buffer = bytearray()
        self._fds: deque[int] = deque()

    def fileno(self) -> int:
        """The socket's descriptor, for selectors."""
        return self.sock.fileno()

    def send(self, message: Message, fds: tuple[int, ...] = ()) -> None:
        """Send one message; blocks while the other end does not read. A peer that is gone raises OSError."""
        data = encoded({**message, "fds": len(fds)} if fds else message)
        if fds:
            sent = socket.send_fds(self.sock, [data], list(fds))
            data = data[sent:]
        if data:
            self.sock.sendall(data)

    def receive(self) -> list[tuple[Message, tuple[int, ...]]] | None:
        """Read once and return the messages that are complete; None when the other end is gone."""
        try:
            data, fds, _, _ = socket.recv_fds(self.sock, _READ, _MOST_FDS)
        except BlockingIOError:
            return []
        except OSError:
            return None
        if not data:
            return None
        self._fds.extend(fds)
        self._buffer += data
        return self._complete()

    def close(self) -> None:
        """Close the socket."""
        self.sock.close()

    def _complete(self) -> list[tuple[Message, tuple[int, ...]]]:
        found = []
        while len(self._buffer) >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(self._buffer)
            end = _LENGTH.size + length
            if len(self._buffer) < end:
                break
            message: Message = json.loads(self._buffer[_LENGTH.size : end])
            del self._buffer[:end]
            found.append((message, tuple(self._fds.popleft() for _ in range(message.pop("fds", 0)))))
        return found
