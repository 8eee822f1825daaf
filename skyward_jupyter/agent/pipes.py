"""Descriptors 1 and 2 of a slot's process: pipes that its agent reads.

C code may write to them while no other thread of its process can run, so none of that process's own would do. Both
sides share a page of memory, by which the slot knows how much went through the pipes when Python code writes: what
goes each way keeps its order.
"""

from __future__ import annotations

import ctypes
import fcntl
import mmap
import os
import select
import struct
import tempfile
import termios
from collections.abc import Sequence
from dataclasses import dataclass

#: The streams, in the order of the pipes.
STREAMS = ("stdout", "stderr")
#: How much had gone through each pipe.
MARK = struct.Struct("<QQ")
#: At most this much fits into a pipe on any system, and is read at a time.
PIECE = 64 * 1024

_SIZE = mmap.PAGESIZE
_TURN, _TAKEN, _FLAGS = 0, 1, 64
_INT = struct.Struct("i")
# Not the call of the standard library: that lets other threads run, each time that a task ends or something is printed.
_libc = ctypes.PyDLL(None)


def kept(flags: str) -> frozenset[str]:
    """The streams that a task keeps."""
    return frozenset(flags.split(",") if flags else STREAMS)


@dataclass(frozen=True, slots=True)
class Ends:
    """The descriptors of one process's pipes and of the page.

    Attributes
    ----------
    reads, writes
        One of each per stream.
    page
        Of the memory that the two sides share.
    """

    reads: tuple[int, int]
    writes: tuple[int, int]
    page: int

    @classmethod
    def new(cls) -> Ends:
        """New ones.

        Raises
        ------
        OSError
            The system has no room for them.
        """
        fds: list[int] = []
        try:
            for _ in STREAMS:
                fds += os.pipe()
            fds.append(_page())
        except OSError:
            for fd in fds:
                os.close(fd)
            raise
        out, to_out, err, to_err, page = fds
        return cls((out, err), (to_out, to_err), page)

    @classmethod
    def of(cls, fds: list[int]) -> Ends:
        """Those that `fds` lists."""
        out, err, to_out, to_err, page = fds
        return cls((out, err), (to_out, to_err), page)

    @property
    def fds(self) -> list[int]:
        """All of them."""
        return [*self.reads, *self.writes, self.page]

    @property
    def for_agent(self) -> tuple[int, int, int]:
        """What the agent needs."""
        return *self.reads, self.page

    def close(self) -> None:
        """Close them all."""
        for fd in self.fds:
            os.close(fd)


def _page() -> int:
    try:
        fd = os.memfd_create("skyward")
    except (AttributeError, OSError):  # another system, or a sandbox that does not know it
        with tempfile.TemporaryFile() as file:
            fd = os.dup(file.fileno())
    os.ftruncate(fd, _SIZE)
    return fd


class Page:
    """The memory that an agent shares with one of its slots' processes."""

    def __init__(self, fd: int) -> None:
        self._memory = mmap.mmap(fd, _SIZE)
        self._numbers = memoryview(self._memory).cast("Q")
        os.close(fd)

    def close(self) -> None:
        """Let go of it."""
        self._numbers.release()
        self._memory.close()

    @property
    def turn(self) -> int:
        """Grows by one before and after each time that the agent reads: odd while it does."""
        return self._numbers[_TURN]

    def taken(self, stream: int) -> int:
        """How much of a stream the agent has read."""
        return self._numbers[_TAKEN + stream]

    def take(self, stream: int, fd: int) -> bytes:
        """Read of a stream what is there; nothing at its end.

        Raises
        ------
        BlockingIOError
            When nothing is there.
        """
        self._numbers[_TURN] += 1
        try:
            data = os.read(fd, PIECE)
            self._numbers[_TAKEN + stream] += len(data)
        finally:
            self._numbers[_TURN] += 1
        return data

    def hold(self, slot: int, has: bool) -> None:
        """Say whether a slot of the process has text that it has not sent yet."""
        self._memory[_FLAGS + slot % (_SIZE - _FLAGS)] = has

    @property
    def held(self) -> bool:
        """Whether any has."""
        return self._memory.find(b"\1", _FLAGS) >= 0


class _Polled(ctypes.Structure):
    """What the system's ``poll`` takes."""

    _fields_ = (("fd", ctypes.c_int), ("events", ctypes.c_short), ("revents", ctypes.c_short))


class Watch:
    """Tells in which of some pipes something waits, or which are at their end; asked often, so it is quick."""

    def __init__(self, fds: Sequence[int]) -> None:
        self._asked = (_Polled * len(fds))(*(_Polled(fd, select.POLLIN, 0) for fd in fds))

    def ready(self) -> list[int]:
        """Those that can be read."""
        if not _libc.poll(self._asked, len(self._asked), 0):
            return []
        return [one.fd for one in self._asked if one.revents]

    def leave(self, fd: int) -> None:
        """Look at a pipe no more."""
        for one in self._asked:
            if one.fd == fd:
                one.fd, one.revents = -1, 0


def unread(fd: int) -> int:
    """Bytes that wait in a pipe or a socket."""
    found: int = _INT.unpack(fcntl.ioctl(fd, termios.FIONREAD, bytes(_INT.size)))[0]
    return found
