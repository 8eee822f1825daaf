"""Uses one tunnel, as the client of a pool's cluster does: small things, and large ones."""

from __future__ import annotations

import socket
import threading
from statistics import median
from time import perf_counter

from benchmarks.ssh.rows import Connections, Wrong
from benchmarks.ssh.weight import MIB

PACKET = b"x" * 200
_BULK = 64 * MIB


def use(port: int, row: Connections) -> None:
    """Send small and large things to the echo at its other end."""
    with socket.create_connection(("127.0.0.1", port)) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

        def once() -> float:
            began = perf_counter()
            sock.sendall(PACKET)
            read(sock, len(PACKET))
            return perf_counter() - began

        row.round_trip = median(once() for _ in range(500))
        began = perf_counter()
        sender = threading.Thread(target=sock.sendall, args=(bytes(_BULK),))
        sender.start()
        read(sock, _BULK)
        sender.join()
        # Each byte went both ways.
        row.rate = 2 * _BULK / MIB / (perf_counter() - began)


def read(sock: socket.socket, size: int) -> None:
    """Read so many bytes."""
    while size:
        data = sock.recv(min(size, MIB))
        if not data:
            raise Wrong("the tunnel closed")
        size -= len(data)
