"""Who writes, and which of its writes one is: by that a write that comes twice is known, and made once.

A writer makes its writes to one key one after the other. So whoever keeps the key needs to remember one number for each
writer: the same number again is the write that it has made, a smaller one is an older write that nobody waits for.

Remembered are the last `WRITERS` writers of a key, in the key's own state, so that they go with it to another node. A
pool has one writer for each node and one for the notebook, and a write is repeated for at most as long as its call may
take; a writer is forgotten early only when more others than that write the same key in these seconds.
"""

from __future__ import annotations

import itertools
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

#: How many writers a key remembers.
WRITERS = 256


class _Made(Protocol):
    """A write that was made, by its mark; beside it there may be what it was answered."""

    @property
    def writer(self) -> bytes: ...

    @property
    def number(self) -> int: ...


@dataclass(frozen=True)
class Mark:
    """One write of one writer; its repetitions have the same. Once it was made, what is remembered of it."""

    writer: bytes
    number: int


class Writer:
    """Numbers the writes of one engine."""

    def __init__(self) -> None:
        self._id = secrets.token_bytes(8)
        self._numbers = itertools.count(1)

    def mark(self) -> Mark:
        """Number one more write; to what it is made to, those before it have ended."""
        return Mark(self._id, next(self._numbers))


def made_before[M: _Made](made: Sequence[M], mark: Mark) -> M | None:
    """The last write of the same writer, if it is this one or a later one."""
    for one in made:
        if one.writer == mark.writer and one.number >= mark.number:
            return one
    return None


def remembered[M: _Made](made: Sequence[M], now: M) -> tuple[M, ...]:
    """`made`, and that this write was made."""
    others = [one for one in made if one.writer != now.writer]
    return (*others[max(0, len(others) - WRITERS + 1) :], now)
