"""What a job says while it runs: numbered events that any number of readers follow, each at its own pace.

A reader that comes back with the last number it saw goes on from there. Output beyond a bound goes, oldest first, and
what went is counted; changes of state stay.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass
from itertools import takewhile

#: Bytes of output kept of one job, and given to a reader at a time.
BOUND = 4 * 2**20
_BATCH = 256 * 1024


@dataclass(frozen=True, slots=True)
class Entry:
    """One event: its number, its name and its data as JSON."""

    seq: int
    name: str
    data: bytes

    @property
    def is_state(self) -> bool:
        """Whether it tells a change of state, which is never dropped."""
        return self.name == "state"


class JobLog:
    """The events of one job.

    Attributes
    ----------
    last
        Number of the newest event; they are numbered from 1.
    size, dropped
        Bytes of output that are kept, and that went.
    closed
        Whether the job has ended: nothing comes any more.
    """

    def __init__(self, bound: int = BOUND) -> None:
        self._bound = bound
        self._entries: deque[Entry] = deque()
        self._news = asyncio.Event()
        self.last = 0
        self.size = 0
        self.dropped = 0
        self.closed = False

    def add(self, name: str, data: bytes) -> None:
        """Number and keep an event."""
        self.last += 1
        entry = Entry(self.last, name, data)
        self._entries.append(entry)
        if not entry.is_state:
            self.size += len(data)
            if self.size > self._bound:
                self.shrink(self._bound // 2)
        self._tell()

    def close(self) -> None:
        """Nothing comes any more."""
        self.closed = True
        self._tell()

    def after(self, seq: int) -> tuple[list[Entry], bool]:
        """The next events after number `seq`, and whether some before them are gone."""
        # Most readers have all but the newest.
        newer = list(takewhile(lambda entry: entry.seq > seq, reversed(self._entries)))
        found: list[Entry] = []
        size = 0
        for entry in reversed(newer):
            if found and (size > _BATCH or entry.seq != found[-1].seq + 1):
                break
            found.append(entry)
            size += len(entry.data)
        return found, (found[0].seq if found else self.last + 1) > seq + 1

    def news(self) -> asyncio.Event:
        """Set once something has come after this call."""
        return self._news

    def shrink(self, size: int) -> None:
        """Keep at most `size` bytes of output."""
        kept: deque[Entry] = deque()
        for entry in self._entries:
            if entry.is_state or self.size <= size:
                kept.append(entry)
            else:
                self.size -= len(entry.data)
                self.dropped += len(entry.data)
        self._entries = kept

    def _tell(self) -> None:
        self._news.set()
        self._news = asyncio.Event()
