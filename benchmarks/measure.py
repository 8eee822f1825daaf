"""Clocks and counters."""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Callable
from statistics import median
from time import perf_counter

BYTES_SENT = 200
"""Where Linux's ``struct tcp_info`` keeps ``tcpi_bytes_sent``, a 64-bit count."""


def seconds(action: Callable[[], object]) -> float:
    """Return how long `action` takes, in seconds."""
    began = perf_counter()
    action()
    return perf_counter() - began


def p50(action: Callable[[], object], times: int, *, warm: int = 1) -> float:
    """Return the median seconds of `times` runs of `action`, after `warm` that do not count."""
    for _ in range(warm):
        action()
    return median(seconds(action) for _ in range(times))


def tcp_bytes() -> dict[str, int]:
    """Return the bytes sent so far by each open TCP socket of this process, also those of native libraries.

    Empty where the system does not tell (it is Linux that does).
    """
    sent: dict[str, int] = {}
    try:
        descriptors = os.listdir("/proc/self/fd")
    except OSError:
        return sent
    for descriptor in descriptors:
        try:
            name = os.readlink(f"/proc/self/fd/{descriptor}")
            if not name.startswith("socket:"):
                continue
            copy = socket.socket(fileno=os.dup(int(descriptor)))
        except OSError:
            continue
        try:
            info = copy.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, BYTES_SENT + 8)
            if len(info) >= BYTES_SENT + 8:
                sent[name] = struct.unpack_from("=Q", info, BYTES_SENT)[0]
        except OSError:
            pass  # not TCP
        finally:
            copy.close()
    return sent


def sent_during(action: Callable[[], object]) -> int:
    """Return how many bytes this process sent over TCP while `action` ran.

    Sockets that were closed meanwhile are not seen.
    """
    before = tcp_bytes()
    action()
    after = tcp_bytes()
    return sum(count - before.get(name, 0) for name, count in after.items())
