"""Dicts and sets, as bytes: in segments, each with its part of the keys.

Whatever is done to many keys is one message to each segment. A set is kept as a dict is, its members as keys. Every
write is made once, see `skyward_jupyter.collections.segments`.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, ClassVar

from casty import Ref, Unavailable

from skyward_jupyter.collections.address import Address
from skyward_jupyter.collections.again import TRY_PART, again, each
from skyward_jupyter.collections.apart import QUIET, WITH_KEY
from skyward_jupyter.collections.cells import (
    BUCKETS,
    SEGMENTS,
    Cell,
    Clear,
    Default,
    Has,
    Look,
    Page,
    Put,
    Scan,
    SegmentMessage,
    Size,
    Step,
    Take,
    Write,
    place,
)
from skyward_jupyter.collections.lane import Lane
from skyward_jupyter.collections.segments import SEGMENT
from skyward_jupyter.collections.served import Linked, Room, Served, level
from skyward_jupyter.collections.shelf import Shelf
from skyward_jupyter.collections.writer import Mark

#: How many keys of many, and about how many bytes of them and their values, are written at a time.
_KEYS, _BYTES = 8192, 4 * 2**20
_ALL = range(SEGMENTS)


class _Table(Served):
    """What dicts and sets have in common."""

    long: ClassVar[frozenset[str]] = frozenset({"keys", "items", "members", "size", "clear"})

    def __init__(self, room: Room, address: Address) -> None:
        super().__init__(room, address)
        self._level = level(address.consistency)
        self._segments = [Linked(room.reach, partial(self._segment, at)) for at in _ALL]
        self._lanes = [Lane(room, partial(self._make, at), TRY_PART) for at in _ALL]

    async def begin(self) -> None:
        """Be ready for the first call."""
        await self.contains(b"")

    async def contains(self, key: bytes) -> bool:
        """Whether there is such a key, or member."""
        return bool(await self._having(place(key)[0], (key,)))

    async def remove(self, key: bytes) -> bool:
        """Remove a key, or member; whether it was there."""
        removed = await self._taken(key)
        self.changed((key,))
        return removed is not None

    async def size(self) -> int:
        """How many there are."""
        return sum(await each(self._size, _ALL))

    async def pages(self) -> AsyncIterator[tuple[bytes, ...]]:
        """All keys, or members, some hundred or thousand at a time."""
        for at in _ALL:
            async for page in self._pages(at, wanted=False):
                yield tuple(page)

    async def clear(self) -> None:
        """Remove everything that is there now, one segment's keys at a time."""
        await each(lambda lane: lane.write(Clear()), self._lanes)
        self.changed()

    async def _listed(self) -> tuple[bytes, ...]:
        return tuple([key for cells in await each(self._cells, _ALL) for key in cells])

    async def _cells(self, at: int, *, wanted: bool = False) -> dict[bytes, Cell]:
        found: dict[bytes, Cell] = {}
        async for page in self._pages(at, wanted=wanted):
            found.update(page)
        return found

    async def _pages(self, at: int, *, wanted: bool) -> AsyncIterator[Mapping[bytes, Cell]]:
        page = Page({}, 0)
        while page.following < len(BUCKETS):
            scan = Scan(page.following, wanted)
            page = await again(lambda: self._segments[at]().ask(scan), TRY_PART)  # noqa: B023 - called before the next
            yield page.cells

    async def _size(self, at: int) -> int:
        return await again(lambda: self._segments[at]().ask(Size()), TRY_PART)

    async def _having(self, at: int, keys: tuple[bytes, ...]) -> tuple[bytes, ...]:
        return await again(lambda: self._segments[at]().ask(Has(keys)))

    async def _put(self, cells: Mapping[bytes, Cell]) -> None:
        parts: dict[int, dict[bytes, Cell]] = defaultdict(dict)
        for key, cell in cells.items():
            parts[place(key)[0]][key] = cell
        await each(lambda at: self._lanes[at].write(Put(parts[at]), sum(map(len, parts[at]))), parts)
        self.changed(cells)

    async def _taken(self, key: bytes, *, wanted: bool = False) -> Cell | None:
        return await self._lanes[place(key)[0]].write(Take(key, wanted), len(key))

    async def _make(self, at: int, steps: tuple[Step, ...], mark: Mark) -> Mapping[int, Cell]:
        kept = await self._segments[at]().ask(Write(steps, mark))
        if not kept.enough:
            raise Unavailable("too few copies took it")
        return kept.found

    def _segment(self, at: int) -> Ref[SegmentMessage]:
        name = f"{self.address.kind}:{self.address.name}:{at}"
        ref: Ref[SegmentMessage] = self.room.system.ref(SEGMENT[self._level], name)
        return ref


class ServedDict(_Table):
    """A dict."""

    calls = frozenset(
        {"get", "contains", "put", "remove", "pop", "default", "values", "keys", "items", "size", "clear"}
    )
    bulk = frozenset({"put"})

    def __init__(self, room: Room, address: Address) -> None:
        super().__init__(room, address)
        self._shelf = Shelf(room, address, lambda key: self._segments[place(key)[0]]())

    def pieces(self, items: Sequence[Any]) -> Iterator[Sequence[Any]]:
        """Pairs, some thousand at a time, fewer of large ones."""
        return _cut(items, [len(key) + _weight(value) for key, value in items])

    async def get(self, key: bytes) -> bytes | None:
        """The value of a key, if it has one."""
        cell = (await self._looked(place(key)[0], (key,))).get(key)
        return cell if not isinstance(cell, str) else await self._apart(key, cell)

    async def put(self, pairs: Sequence[tuple[bytes, bytes]]) -> None:
        """Set the values of keys; not all of them at once."""
        values, began = dict(pairs), time.monotonic()
        cells = await self._shelf.cells(values)
        await self._put(cells)
        if time.monotonic() - began > QUIET / 2:
            await self._shelf.store(values, cells)  # they may have been taken for left over

    async def pop(self, key: bytes) -> bytes | None:
        """Remove a key and return its value; of several who pop it, one has it."""
        cell = await self._taken(key, wanted=True)
        self.changed((key,))
        if not isinstance(cell, str):
            return cell
        value = await self._shelf.load(cell)
        self._shelf.drop(cell)
        return value

    async def default(self, key: bytes, value: bytes) -> bytes:
        """The value of a key, which is `value` from now on if it had none; the same for all who do this."""
        while (found := await self.get(key)) is None:
            cell = (await self._shelf.cells({key: value}))[key]
            there = await self._lanes[place(key)[0]].write(Default(key, cell), len(key) + len(value))
            self.changed((key,))
            if there is None:
                return value
            self._shelf.drop(cell)
            if isinstance(there, bytes):
                return there
        return found

    async def values(self, keys: Sequence[bytes]) -> tuple[bytes | None, ...]:
        """The values of several keys."""
        parts: dict[int, list[bytes]] = defaultdict(list)
        for key in keys:
            parts[place(key)[0]].append(key)
        looked = await each(lambda at: self._looked(at, parts[at]), parts)
        cells = {key: cell for part in looked for key, cell in part.items()}
        values = await self._values(cells)
        return tuple(map(values.get, keys))

    async def keys(self) -> tuple[bytes, ...]:
        """All keys."""
        return await self._listed()

    async def items(self) -> tuple[tuple[bytes, bytes], ...]:
        """All keys with their values."""
        found = await each(partial(self._cells, wanted=True), _ALL)
        return tuple([pair for cells in found for pair in (await self._values(cells)).items()])

    async def _looked(self, at: int, keys: Sequence[bytes]) -> Mapping[bytes, Cell]:
        return await again(lambda: self._segments[at]().ask(Look(tuple(keys))))

    async def _values(self, cells: Mapping[bytes, Cell]) -> dict[bytes, bytes]:
        values = {key: cell for key, cell in cells.items() if isinstance(cell, bytes)}
        apart = [(key, cell) for key, cell in cells.items() if isinstance(cell, str)]
        for (key, _), value in zip(apart, await each(lambda pair: self._apart(*pair), apart), strict=True):
            if value is not None:
                values[key] = value
        return values

    async def _apart(self, key: bytes, cell: Cell | None) -> bytes | None:
        """The value of a key whose value is kept apart; or another one that it has got meanwhile."""
        while isinstance(cell, str):
            value = await self._shelf.load(cell)
            if value is not None:
                return value
            before, cell = cell, (await self._looked(place(key)[0], (key,))).get(key)
            if cell == before:
                return None  # all copies of it were lost
        return cell


class ServedSet(_Table):
    """A set."""

    calls = frozenset({"contains", "add", "discard", "remove", "values", "members", "size", "clear"})
    bulk = frozenset({"add"})

    def pieces(self, items: Sequence[Any]) -> Iterator[Sequence[Any]]:
        """Members, some thousand at a time, fewer of large ones."""
        return _cut(items, list(map(len, items)))

    async def add(self, members: Sequence[bytes]) -> None:
        """Add members."""
        await self._put(dict.fromkeys(members, b""))

    async def discard(self, member: bytes) -> None:
        """Remove a member if it is there."""
        await self.remove(member)

    async def values(self, members: Sequence[bytes]) -> tuple[bytes | None, ...]:
        """Those of `members` that are there, None for the others."""
        parts: dict[int, list[bytes]] = defaultdict(list)
        for member in members:
            parts[place(member)[0]].append(member)
        having = await each(lambda at: self._having(at, tuple(parts[at])), parts)
        found = {member for part in having for member in part}
        return tuple(member if member in found else None for member in members)

    async def members(self) -> tuple[bytes, ...]:
        """All members."""
        return await self._listed()


def _weight(value: bytes) -> int:
    """What counts of a value: only its name goes with its key when it is large."""
    return len(value) if len(value) <= WITH_KEY else len(value) // 16


def _cut(items: Sequence[Any], sizes: Sequence[int]) -> Iterator[Sequence[Any]]:
    """Cut into as many as are written at a time."""
    start = size = 0
    for at, one in enumerate(sizes):
        if at - start == _KEYS or (at > start and size + one > _BYTES):
            yield items[start:at]
            start, size = at, 0
        size += one
    if start < len(items):
        yield items[start:]
