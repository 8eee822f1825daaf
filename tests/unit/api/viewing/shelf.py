"""A dict in this process, read as a shared one is."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

from skyward_jupyter.collections import keys, values

PAGED = 512


class Shelf:
    """Reads a plain dict as `Watch` reads a shared one.

    Attributes
    ----------
    read, scans
        How many values were read, and how often all keys were.
    between
        Called once, between two pages of keys.
    fails
        Whether values cannot be read.
    """

    def __init__(self, content: dict[Any, Any]) -> None:
        self.content: dict[bytes, bytes] = {}
        for key, value in content.items():
            self.put(key, value)
        self.read = self.scans = 0
        self.between: Callable[[], None] = lambda: None
        self.fails = False

    def put(self, key: object, value: object) -> None:
        self.content[keys.encoded(key)] = values.encoded(value, "it")

    def drop(self, key: object) -> None:
        del self.content[keys.encoded(key)]

    async def scan(self) -> AsyncIterator[tuple[bytes, ...]]:
        self.scans += 1
        listed = tuple(self.content)
        for start in range(0, len(listed), PAGED):
            yield listed[start : start + PAGED]
            between, self.between = self.between, lambda: None
            between()

    async def values(self, wanted: Sequence[bytes]) -> dict[bytes, bytes]:
        if self.fails:
            raise ConnectionError("no node answers")
        self.read += len(wanted)
        return {key: self.content[key] for key in wanted if key in self.content}

    async def size(self) -> int:
        return len(self.content)
