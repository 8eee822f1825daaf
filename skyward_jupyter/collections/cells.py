"""What the parts of a dict or set are asked, and how they keep what is in them.

A key, or member, is in one of `SEGMENTS` segments, and within it in one of `BUCKETS`, for good: who writes and who
reads agree on it without asking.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from hashlib import blake2b

from casty import Askable

from skyward_jupyter.collections.rewriting import Rewrite
from skyward_jupyter.collections.writer import Mark

#: How many segments a collection has.
SEGMENTS = 32

#: What a key has: its value, or the name of what keeps it apart, because it is large. A member of a set has b"".
type Cell = bytes | str


@dataclass(frozen=True)
class Answered:
    """The last write of a writer that was made, and what it was answered."""

    writer: bytes
    number: int
    found: Mapping[int, Cell]


@dataclass(frozen=True)
class SegmentState:
    """What a segment keeps: its cells, encoded, and the last write of each writer.

    Of a state that is saved, the fields that changed are sent to those that keep a copy: so there are several.
    """

    made: tuple[Answered, ...] = ()
    b00: bytes = b""
    b01: bytes = b""
    b02: bytes = b""
    b03: bytes = b""
    b04: bytes = b""
    b05: bytes = b""
    b06: bytes = b""
    b07: bytes = b""
    b08: bytes = b""
    b09: bytes = b""
    b10: bytes = b""
    b11: bytes = b""
    b12: bytes = b""
    b13: bytes = b""
    b14: bytes = b""
    b15: bytes = b""


BUCKETS: tuple[str, ...] = tuple(one.name for one in fields(SegmentState) if one.name != "made")


def place(key: bytes) -> tuple[int, str]:
    """The segment of a key, and its bucket there."""
    segment, bucket = blake2b(key, digest_size=2).digest()
    return segment % SEGMENTS, BUCKETS[bucket % len(BUCKETS)]


@dataclass(frozen=True)
class Put:
    """Set what keys have."""

    cells: Mapping[bytes, Cell]


@dataclass(frozen=True)
class Default:
    """Set what a key has unless it has something, which is answered then."""

    key: bytes
    cell: Cell


@dataclass(frozen=True)
class Take:
    """Remove a key. Answered with what it had, or, unless that is `wanted`, with b""."""

    key: bytes
    wanted: bool


@dataclass(frozen=True)
class Clear:
    """Remove all keys."""


type Step = Put | Default | Take | Clear


@dataclass(frozen=True)
class Kept:
    """How a write ended: whether enough copies took it, and what its steps found, by their place in it."""

    enough: bool
    found: Mapping[int, Cell]


@dataclass(frozen=True)
class Write(Askable[Kept]):
    """Take these steps, one after the other, all of them or none. The same `mark` again is not made again."""

    steps: tuple[Step, ...]
    mark: Mark


@dataclass(frozen=True)
class Look(Askable[Mapping[bytes, Cell]]):
    """What do these keys have? Those that are not there are left out."""

    keys: tuple[bytes, ...]


@dataclass(frozen=True)
class Has(Askable[tuple[bytes, ...]]):
    """Which of these keys are there?"""

    keys: tuple[bytes, ...]


@dataclass(frozen=True)
class Size(Askable[int]):
    """How many keys are there?"""


@dataclass(frozen=True)
class Page:
    """The cells of some buckets, and the bucket to go on from; as many as there are when it is the last page."""

    cells: Mapping[bytes, Cell]
    following: int


@dataclass(frozen=True)
class Scan(Askable[Page]):
    """Which keys are there, from a bucket on? With what they have if that is wanted, and else b""."""

    start: int
    wanted: bool


type SegmentMessage = Write | Look | Has | Size | Scan | Rewrite
