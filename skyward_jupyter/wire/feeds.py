"""Arguments and results that are streams: what stands for one in a call, what pieces look like, what may be unread.

A piece holds items that were packed one by one, each with the bytes it counts for: its own and those of its blobs. The
reader grants what the writer may send, in totals since the start, so that a grant that is repeated grants nothing.
"""

from __future__ import annotations

import pickle
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from skyward_jupyter.wire.codec import dumps, loads
from skyward_jupyter.wire.exceptions import portable, text_of
from skyward_jupyter.wire.parts import Malformed

#: Items that may be unread at first, and at most: the window doubles while the reader has to wait for the writer.
FIRST_WINDOW, LAST_WINDOW = 16, 8192
#: Bytes that may be unread; one item may exceed it.
BYTES_WINDOW = 8 * 2**20

_LENGTH = struct.Struct("<I")

type Item = tuple[bytes, int]


@dataclass(frozen=True, slots=True)
class Fed:
    """Stands for the stream of this number in the arguments of a call."""

    stream: int


@dataclass(frozen=True, slots=True)
class Grant:
    """What the writer of a stream may have sent: so many items, of so many bytes. `taken` items were read."""

    stream: int
    items: int
    size: int
    taken: int


def piece(items: Sequence[Item]) -> bytes:
    """The body of a `Feed`."""
    return pickle.dumps(list(items), 5)


def items_of(body: bytes) -> list[Item]:
    """What `piece` was given."""
    items: list[Item] = pickle.loads(body) if body else []
    return items


def yields(items: Sequence[bytes]) -> bytes:
    """The body of an event that has several packed yields; none of them names a blob."""
    return b"p" + b"".join(piece for item in items for piece in (_LENGTH.pack(len(item)), item))


def yielded(body: bytes) -> Iterator[bytes]:
    """The packed yields that `yields` was given; `Malformed` where it was not."""
    at = 1
    while at < len(body):
        start = at + _LENGTH.size
        if start > len(body):
            raise Malformed("it ends in the middle of a yield")
        at = start + _LENGTH.unpack_from(body, at)[0]
        if at > len(body):
            raise Malformed("it ends in the middle of a yield")
        yield body[start:at]


def count_of(body: bytes) -> int:
    """How many `yields` was given; 0 for what it did not make."""
    try:
        return sum(1 for _ in yielded(body))
    except Malformed:
        return 0


def packed_error(error: BaseException) -> bytes:
    """An exception on its way to the reader, as itself when it can travel."""
    return portable(error) or dumps(RuntimeError(f"{type(error).__name__}: {text_of(error)}"))


def error_of(data: bytes) -> BaseException:
    """The exception that ended a stream."""
    try:
        error = loads(data)
    except BaseException as why:
        return RuntimeError(f"the stream was ended by an error that cannot be loaded here: {type(why).__name__}: {why}")
    return error if isinstance(error, BaseException) else RuntimeError(str(error))
