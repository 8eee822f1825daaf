"""The body of a job sent over HTTP: a header, then a pickle of ``(function, args, kwargs)``.

The header says what follows, so a node can refuse bytes that are no job, that were cut short or changed on the way, or
that another Python made, without unpickling any of them. It is no proof of who sent them: that is the token's part.

Header, 48 bytes, little-endian: ``SKYJ``, the format (1), Python's major and minor version, a zero byte, the length of
the pickle (8 bytes) and its SHA-256 (32 bytes).
"""

from __future__ import annotations

import hashlib
import struct
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from skyward_jupyter.wire.codec import dumps

MAGIC = b"SKYJ"
FORMAT = 1
#: The most bytes of a pickle that a node takes.
LIMIT = 512 * 2**20
HEADER = struct.Struct("<4sBBBxQ32s")


class Refused(ValueError):
    """Bytes that are no job for this node; the message is a sentence that says why."""


class OtherPython(Refused):
    """A job that another version of Python made."""


class Check:
    """Checks a body as it comes, in pieces of any size."""

    def __init__(self) -> None:
        self._head = bytearray()
        self._hash = hashlib.sha256()
        self._length = 0
        self._expected = b""
        self.read = 0

    @property
    def digest(self) -> str:
        """SHA-256 of the pickle, in hex, once the body is `complete`."""
        return self._expected.hex()

    def feed(self, piece: bytes) -> None:
        """Take in the next piece.

        Raises
        ------
        Refused
            The header is wrong, or more bytes came than it announced.
        """
        if lacking := HEADER.size - len(self._head):
            self._head += piece[:lacking]
            if len(self._head) < HEADER.size:
                self._check_magic()
                return
            self._open()
            piece = piece[lacking:]
        self._hash.update(piece)
        self.read += len(piece)
        if self.read > self._length:
            raise Refused(f"the job has more bytes than the {self._length} its header announces; send it again")

    def complete(self) -> None:
        """Say that nothing more comes.

        Raises
        ------
        Refused
            Bytes are missing, or are not those that were sent.
        """
        if len(self._head) < HEADER.size:
            raise Refused(f"the body ends within the header: {len(self._head)} bytes, a job has at least {HEADER.size}")
        if self.read < self._length:
            raise Refused(f"the job was cut short: {self.read} of {self._length} bytes came; send it again")
        if self._hash.digest() != self._expected:
            raise Refused("the job was changed on its way: its SHA-256 is not the one in its header; send it again")

    def _check_magic(self) -> None:
        seen = bytes(self._head[: len(MAGIC)])
        if not MAGIC.startswith(seen):
            raise Refused("the body is no job: it does not start with SKYJ; /openapi.json tells how one is made")

    def _open(self) -> None:
        self._check_magic()
        _, version, major, minor, self._length, self._expected = HEADER.unpack(self._head)
        if version != FORMAT:
            raise Refused(f"the job has format {version}, this node knows format {FORMAT}; use the node's own version")
        if (major, minor) != sys.version_info[:2]:
            here = f"{sys.version_info.major}.{sys.version_info.minor}"
            raise OtherPython(f"the job was made by Python {major}.{minor}, this node runs {here}; make it with {here}")


def sealed(pickled: bytes) -> bytes:
    """A pickle of ``(function, args, kwargs)`` behind its header."""
    major, minor = sys.version_info[:2]
    return HEADER.pack(MAGIC, FORMAT, major, minor, len(pickled), hashlib.sha256(pickled).digest()) + pickled


def job(function: Callable[..., Any], *args: Any, **kwargs: Any) -> bytes:
    """The body that asks for ``function(*args, **kwargs)``."""
    return sealed(dumps((function, args, kwargs)))


@dataclass(frozen=True, slots=True)
class Packed:
    """A call whose function and ``(args, kwargs)`` were packed each on its own (see `skyward_jupyter.wire.codec`).

    Their large parts are blobs, which the node has. It stands where ``(function, args, kwargs)`` does.

    Attributes
    ----------
    executor, initializer
        Whose call it is, and ``(initializer, initargs)``, packed: what runs once in each slot before; empty for none.
    """

    function: bytes
    given: bytes
    executor: str = ""
    initializer: bytes = b""
