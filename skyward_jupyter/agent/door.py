"""The cluster port of a node, kept open whoever connects to it.

casty takes in every connection, gives it 5 s to prove that it is of the pool, and listens no more once it could not
take one in for want of a descriptor. So an agent may have many of these, and only so many strangers stay: of those
beyond that the ones are closed to which this side has said least, the oldest first. Whoever has proved itself was told
more than any stranger, so none of them is closed. Where descriptors are few nobody gets in until strangers have gone.
A port that is closed all the same is told to the agent, with the reason: no descriptor was left, or casty closed it to
open it anew, as it does for a member that the others had forgotten. It can: nothing here keeps its socket open. This
needs Linux; elsewhere the descriptors have to suffice.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import errno
import os
import resource
import select
import socket
import stat
import struct
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager

from skyward_jupyter.agent.readable import readable
from skyward_jupyter.tasks import begin

#: The most descriptors that an agent asks for, and how many strangers stay at a time.
DESCRIPTORS = 65536
STRANGERS = 512
#: The shortest pause between two looks at who came (seconds), and what is few descriptors: then there is less time.
_PAUSE, _HASTE = 0.01, 0.001
FEW = 8192
#: How often it is looked whether casty still listens where nobody comes (seconds).
_STILL = 1.0
#: How long casty may take to listen again (seconds), and the pause between two looks whether it does.
ANEW_WITHIN, _LOOK = 5.0, 0.1
#: Linux: a socket's filter of packets, and where `struct tcp_info` has the bytes that the other side has confirmed.
_ATTACH_FILTER, _DETACH_FILTER = 26, 27
_CONFIRMED = struct.Struct("120xQ")


def raise_limit() -> None:
    """Have as many descriptors as this user may have, within reason."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, DESCRIPTORS)
    if soft != resource.RLIM_INFINITY and soft < most:
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


@asynccontextmanager
async def kept_open(address: str, proven: Callable[[], int], lost: Callable[[str], None]) -> AsyncIterator[None]:
    """Watch the port of `address` inside the block.

    Parameters
    ----------
    proven
        Says how many connections casty has with others that have proved themselves.
    lost
        Called with the reason when nobody can connect there any more, or nobody watches.
    """
    watching = begin(_watch(address, proven, lost), f"watching the cluster port {address}")
    try:
        yield
    finally:
        watching.cancel()


async def _watch(address: str, proven: Callable[[], int], lost: Callable[[str], None]) -> None:
    try:
        door = Door.at(address)
        if door is not None:
            with contextlib.closing(door):
                await _attend(door, proven)
            lost(await _reason(address, door.lacked or _opened() >= limit()))
    except Exception as error:
        lost(f"its cluster port could not be watched ({type(error).__name__}: {error})")


async def _attend(door: Door, proven: Callable[[], int]) -> None:
    """Look after each that comes, until nobody listens any more."""
    while door.listens:
        try:
            async with asyncio.timeout(_STILL):
                await readable(door.fileno())
        except TimeoutError:
            door.listens = _inode(door.listener) == door.inode
            continue
        crowded = True
        while crowded and door.listens:
            began = time.thread_time()
            try:
                crowded = door.look(proven)
            except OSError as error:  # looking takes a descriptor too
                door.lacked = door.lacked or error.errno in (errno.EMFILE, errno.ENFILE)
            # However many come, most of the time is for the others. That of other programs is not ours: on a busy
            # machine a look lasts long, and as many more come until the next.
            pause = _HASTE if limit() < FEW else _PAUSE
            await asyncio.sleep(max(pause, 2 * (time.thread_time() - began)))


async def _reason(address: str, lacked: bool) -> str:
    """Why nobody listens any more."""
    if lacked:
        return "its cluster port was closed: no descriptor was left for who came"
    loop = asyncio.get_running_loop()
    until = loop.time() + ANEW_WITHIN
    while loop.time() < until:
        if (door := Door.at(address)) is not None:
            door.close()
            return (
                "the other nodes had heard nothing of it for so long that they forgot it, and it joined them as another"
            )
        await asyncio.sleep(_LOOK)
    return f"its cluster port was closed, not for want of descriptors: it has {_opened()} of {limit()}"


class Door:
    """The listening socket of casty, and the connections that were taken in there.

    Parameters
    ----------
    listener, inode, address
        casty's descriptor, which it may close at any time, what tells the socket from all others, and where it listens.

    Attributes
    ----------
    listens
        Whether casty still listened when `look` was called last.
    lacked
        Whether there was no descriptor left at some time.
    """

    def __init__(self, listener: int, inode: int, address: object) -> None:
        self.listener, self.inode = listener, inode
        self.listens = True
        self.lacked = False
        self._address = address
        # It keeps no socket open; a descriptor of our own would, and the port with it.
        self._coming = select.epoll()
        self._coming.register(listener, select.EPOLLIN)
        self._came: dict[int, int] = {}
        self._others: set[int] = set()
        self._closed: set[int] = set()
        self._shut = False
        self._opened = _opened()

    @classmethod
    def at(cls, address: str) -> Door | None:
        """The door at an address where this process listens; None where there is none, or no way to find it."""
        if sys.platform != "linux":
            return None
        port = int(address.rpartition(":")[2])
        for fd, inode in _sockets():
            with _borrowed(fd, inode) as sock:
                if sock is not None and _listens(sock) and sock.getsockname()[1] == port:
                    return cls(fd, inode, sock.getsockname())
        return None

    def fileno(self) -> int:
        """A descriptor that can be read while somebody is at the door."""
        return self._coming.fileno()

    def look(self, proven: Callable[[], int]) -> bool:
        """Close the strangers beyond the number that may stay; whether it is to be looked again for want of room."""
        most, opened = limit(), _opened()
        self._bar(opened > most // 4 or opened - self._opened > most // 16)  # nobody more while it looks at so many
        try:
            self._look(most, proven)
        finally:
            self._opened = _opened()
            self._bar(self._opened > most // 4)
        return self._shut

    def _look(self, most: int, proven: Callable[[], int]) -> None:
        sockets = dict(_sockets())
        self.listens = sockets.get(self.listener) == self.inode
        self._note(sockets)
        inside = {inode: fd for fd, inode in sockets.items() if inode in self._came and inode not in self._closed}
        excess = len(inside) - min(STRANGERS, most // 8)
        if excess > 0 and (excess := excess - proven()) > 0:
            for inode in self._least(inside)[:excess]:
                if _close(inside[inode], inode):
                    self._closed.add(inode)

    def close(self) -> None:
        """Leave the socket as it was."""
        self._bar(False)
        self._coming.close()

    def _note(self, sockets: dict[int, int]) -> None:
        """Know who came through this door, in order."""
        there = set(sockets.values())
        self._came = {inode: number for inode, number in self._came.items() if inode in there}
        self._others &= there
        self._closed &= there
        number = max(self._came.values(), default=0)
        for fd, inode in sorted(sockets.items()):
            if inode not in self._came and inode not in self._others:
                if self._is_of_it(fd, inode):
                    number += 1
                    self._came[inode] = number
                else:
                    self._others.add(inode)

    def _is_of_it(self, fd: int, inode: int) -> bool:
        with _borrowed(fd, inode) as sock:
            return sock is not None and not _listens(sock) and sock.getsockname() == self._address

    def _least(self, inside: dict[int, int]) -> list[int]:
        """Those inside, from the one that was told least, the oldest first."""
        told = {inode: _confirmed(fd, inode) for inode, fd in inside.items()}
        return sorted(inside, key=lambda inode: (told[inode], self._came[inode]))

    def _bar(self, shut: bool) -> None:
        """Let nobody in, or whoever comes: what knocks meanwhile knocks again after a second."""
        if shut == self._shut:
            return
        with _borrowed(self.listener, self.inode) as sock:
            if sock is None:
                return
            self._shut = shut
            if shut:
                drop = ctypes.create_string_buffer(struct.pack("HBBI", 6, 0, 0, 0))  # of each packet keep no byte
                program = struct.pack("HP", 1, ctypes.addressof(drop))
                sock.setsockopt(socket.SOL_SOCKET, _ATTACH_FILTER, program)
            else:
                sock.setsockopt(socket.SOL_SOCKET, _DETACH_FILTER, 0)


def limit() -> int:
    """How many descriptors this process may have."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return DESCRIPTORS if soft == resource.RLIM_INFINITY else soft


def _opened() -> int:
    """How many descriptors this process has."""
    return len(os.listdir("/proc/self/fd"))


def _sockets() -> Iterator[tuple[int, int]]:
    """The descriptors of this process that are sockets, each with what tells the socket from all others."""
    for name in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):  # it was closed meanwhile
            about = os.fstat(int(name))
            if stat.S_ISSOCK(about.st_mode):
                yield int(name), about.st_ino


def _inode(fd: int) -> int:
    """What tells an open file from all others; 0 where there is none."""
    try:
        return os.fstat(fd).st_ino
    except OSError:
        return 0


@contextlib.contextmanager
def _borrowed(fd: int, inode: int) -> Iterator[socket.socket | None]:
    """A TCP socket of casty's through a descriptor of our own: casty may close its own, and use it anew, meanwhile."""
    try:
        # `dup` of a socket would have it block, casty's too.
        sock = socket.socket(fileno=os.dup(fd))
    except OSError:
        yield None
        return
    with sock:
        is_tcp = sock.family in (socket.AF_INET, socket.AF_INET6) and sock.type == socket.SOCK_STREAM
        yield sock if is_tcp and os.fstat(sock.fileno()).st_ino == inode else None


def _listens(sock: socket.socket) -> bool:
    return bool(sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))


def _confirmed(fd: int, inode: int) -> int:
    """How many bytes the other side of a connection has confirmed."""
    with _borrowed(fd, inode) as sock:
        if sock is None:
            return 0
        about = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256)
        return _CONFIRMED.unpack_from(about)[0] if len(about) >= _CONFIRMED.size else 0


def _close(fd: int, inode: int) -> bool:
    """End a connection at once, whoever holds it."""
    with _borrowed(fd, inode) as sock, contextlib.suppress(OSError):
        if sock is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            sock.shutdown(socket.SHUT_RDWR)
            return True
    return False
