"""Whose process is at the other end of a connection within this machine, as Linux says; unknown elsewhere."""

from __future__ import annotations

import contextlib
import os
import socket
import struct

#: Netlink's socket diagnosis, after ``linux/sock_diag.h`` and ``linux/inet_diag.h``.
_SOCK_DIAG, _BY_FAMILY, _REQUEST = 4, 20, 1
_HEAD = struct.Struct("=IHHII")
_ASKED = struct.Struct("=BBBBI")
_ENDS = struct.Struct("!HH16s16s")
#: No cookie of a socket is meant.
_ANY = (0xFFFFFFFF, 0xFFFFFFFF)
_ANSWER = struct.Struct("=16x4x48x12xI")


def is_stranger(connection: socket.socket) -> bool:
    """Whether another user's process, and not root's, is at the other end of a TCP connection over IPv4."""
    found = user_of(connection.getpeername(), connection.getsockname())
    return found not in (None, 0, os.geteuid())


def user_of(near: tuple[str, int], far: tuple[str, int]) -> int | None:
    """The user of the socket of this machine that is at `near` and connected to `far`; None when that is not known."""
    ends = _ENDS.pack(near[1], far[1], socket.inet_aton(near[0]), socket.inet_aton(far[0]))
    body = _ASKED.pack(socket.AF_INET, socket.IPPROTO_TCP, 0, 0, 0xFFFFFFFF) + ends + struct.pack("=III", 0, *_ANY)
    head = _HEAD.pack(_HEAD.size + len(body), _BY_FAMILY, _REQUEST, 0, 0)
    with contextlib.suppress(OSError, AttributeError, struct.error):
        with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _SOCK_DIAG) as asking:
            asking.settimeout(1.0)
            asking.sendto(head + body, (0, 0))
            answer = asking.recv(4096)
        if _HEAD.unpack_from(answer)[1] == _BY_FAMILY:
            return int(_ANSWER.unpack_from(answer)[0])
    return None
