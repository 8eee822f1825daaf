"""What was done to a collection lately, kept while somebody watches it."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import time
from collections import deque
from collections.abc import Iterable

from skyward_jupyter.collections.address import Kind

#: How many changes are kept of one collection; who asks later than that reads all of it again.
ROOM = 512
#: Seconds that changes may wait for more, so that a burst is one answer.
GATHER = 0.03
#: Seconds after its last question that a watcher is taken for gone.
FORGET = 15.0


class Journal:
    """The changes of one collection, numbered."""

    def __init__(self) -> None:
        # From somewhere: one journal is never taken for the one before it.
        self.number = secrets.randbits(62)
        self.asked = time.monotonic()
        self._first = self.number
        self._changes: deque[tuple[int, bytes]] = deque()
        self._news = asyncio.Event()

    def note(self, keys: Iterable[bytes] | None) -> None:
        """These keys were written or removed, or, with None, anything."""
        if keys is None:
            self._lose()
        else:
            for key in keys:
                self.number += 1
                self._changes.append((self.number, key))
            if len(self._changes) > ROOM:
                self._lose()
        self._news.set()

    def since(self, number: int) -> tuple[bytes, ...] | None:
        """The keys that changed after `number`; None when that is not known."""
        if not self._first <= number <= self.number:
            return None
        return tuple(dict.fromkeys(key for at, key in self._changes if at > number))

    async def news(self, number: int, hold: float) -> None:
        """Return when there are changes after `number`, or `hold` seconds have passed."""
        self.asked = time.monotonic()
        if number == self.number:
            self._news.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._news.wait(), hold)
                await asyncio.sleep(GATHER)
        self.asked = time.monotonic()

    def _lose(self) -> None:
        self.number += 1
        self._first = self.number
        self._changes.clear()


class Journals:
    """The journals of the collections that are watched; of the others nothing is kept."""

    def __init__(self) -> None:
        self._kept: dict[tuple[Kind, str], Journal] = {}

    def note(self, kind: Kind, name: str, keys: Iterable[bytes] | None = None) -> None:
        """Something was done to a collection."""
        if not self._kept:
            return
        journal = self._kept.get((kind, name))
        if journal is None:
            return
        if time.monotonic() - journal.asked > FORGET:
            del self._kept[kind, name]
            return
        journal.note(keys)

    async def follow(self, kind: Kind, name: str, number: int, hold: float) -> tuple[int, tuple[bytes, ...] | None]:
        """What has changed after `number`, waiting up to `hold` seconds for it; and the number to go on from.

        Any number that was not given here, such as 0, is told that anything may have changed.
        """
        journal = self._kept.get((kind, name))
        if journal is None:
            self._sweep()
            journal = self._kept[kind, name] = Journal()
        await journal.news(number, hold)
        return journal.number, journal.since(number)

    def _sweep(self) -> None:
        """Drop those that nobody has asked about for long."""
        now = time.monotonic()
        for at in [at for at, journal in self._kept.items() if now - journal.asked > FORGET]:
            del self._kept[at]
