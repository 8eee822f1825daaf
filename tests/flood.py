"""Connections that a stranger opens, in a process of another user where this one is root: ``python flood.py KIND N``.

It reads ``HOST PORT`` from its standard input, keeps N connections open there, anew for each that is closed, says
``flooding`` once all were tried, and ends with its input.
"""

from __future__ import annotations

import contextlib
import os
import select
import socket
import sys

#: The start of a hello of TLS, and no more.
_HALF = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(80)
_NOBODY = 65534
_AT_ONCE = 200


def opened(address: tuple[str, int]) -> socket.socket:
    """A connection on its way."""
    made = socket.socket()
    made.setblocking(False)
    with contextlib.suppress(BlockingIOError):
        made.connect(address)
    return made


def spoken(connection: socket.socket, kind: str) -> bool:
    """Say something, if it is of that kind; whether the connection is still there."""
    try:
        if kind != "idle":
            connection.send(_HALF if kind == "half" else os.urandom(300))
        return bool(connection.recv(64))
    except BlockingIOError:
        return True
    except OSError:
        return False


def main() -> None:
    """Entry."""
    kind, number = sys.argv[1], int(sys.argv[2])
    host, port = sys.stdin.readline().split()
    if os.getuid() == 0:
        os.setgid(_NOBODY)
        os.setuid(_NOBODY)
    held: list[socket.socket] = []
    tried = 0
    while not select.select([sys.stdin], [], [], 0.01)[0]:
        for _ in range(min(_AT_ONCE, number - len(held))):
            with contextlib.suppress(OSError):
                held.append(opened((host, int(port))))
                tried += 1
                if tried == number:
                    print("flooding", flush=True)
        there = []
        for connection in held:
            if spoken(connection, kind):
                there.append(connection)
            else:
                connection.close()
        held = there


if __name__ == "__main__":
    main()
