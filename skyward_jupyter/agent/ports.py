"""Ports that stay a node's own from the moment they are chosen, also while nobody listens there.

A port that is held is bound by a socket that does not listen. So the system gives it to no connection and to no program
that asks for any port, while a node may listen there, and one that takes its place: they reuse addresses. Of programs
that would reuse it too only others of ours are known, and each port has a name that one of them has at a time. This
needs Linux; elsewhere a port was free when it was looked for, no more.
"""

from __future__ import annotations

import contextlib
import socket
import sys

#: How often other ports are looked for where the one that is wanted is taken.
_TRIES = 16


def hold(owner: contextlib.ExitStack, host: str, wanted: int, count: int = 1) -> int:
    """Return the port that is wanted, or one that is free, as are those after it, `count` in all.

    They are held until `owner` is closed.
    """
    for port in (wanted, *[0] * _TRIES):
        with contextlib.ExitStack() as held:
            try:
                first = _bound(held, host, port)
                for following in range(1, count):
                    _bound(held, host, first + following)
            except (OSError, OverflowError):
                continue
            if sys.platform == "linux":
                owner.push(held.pop_all())
            return first
    return wanted


def _bound(held: contextlib.ExitStack, host: str, port: int) -> int:
    """Bind a port, and its name."""
    sock = held.enter_context(socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET))
    # One that listened there a moment ago leaves connections behind that are not quite over.
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind((host, port))
    found = int(sock.getsockname()[1])
    if sys.platform == "linux":
        named = held.enter_context(socket.socket(socket.AF_UNIX))
        named.bind(f"\0skyward/port/{host}/{found}")
    return found
