"""Dicts and sets, as bytes: each entry under a key of its own, and casty's index of the keys.

A set is kept as a dict is, its members as keys. Every write is made once, see `skyward_jupyter.collections.entries`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from typing import ClassVar, cast

from casty.collections import Missing

from skyward_jupyter.collections.address import Address
from skyward_jupyter.collections.entries import Entries
from skyward_jupyter.collections.served import Linked, Room, Served, again, again_all, each, level


class _Table(Served):
    """What dicts and sets have in common."""

    long: ClassVar[frozenset[str]] = frozenset({"keys", "items", "members", "size", "clear"})

    def __init__(self, room: Room, address: Address) -> None:
        super().__init__(room, address)
        self._entries = Linked(room, self._made)

    def _made(self) -> Entries:
        write = level(self.address.consistency)
        return Entries(self.room.collections.dict(self.address.name, key=bytes, value=bytes, write=write))

    async def begin(self) -> None:
        """Be ready for the first call."""
        await self.contains(b"")

    async def contains(self, key: bytes) -> bool:
        """Whether there is such a key, or member."""
        return await again(lambda: self._entries().contains(key))

    async def remove(self, key: bytes) -> bool:
        """Remove a key, or member; whether it was there."""
        removed, _ = await self._taken(key)
        self.changed((key,))
        return removed

    async def size(self) -> int:
        """How many there are."""
        return await again_all(lambda: self._entries().size())

    async def pages(self) -> AsyncIterator[tuple[bytes, ...]]:
        """All keys, or members, some hundred at a time.

        casty's own `scan` of a dict asks every entry for its value too, which for the keys alone is a thousand times
        the work. There is no other public way to the index.
        """
        entries = self._entries()
        load = cast(Callable[[bytes], bytes], entries._key.load)
        async for listed in entries._index.scan():
            yield tuple(map(load, listed))

    async def clear(self) -> None:
        """Remove everything that is there now."""
        await each(self._taken, await again_all(self._listed))
        await again_all(lambda: self._entries().items())  # drops what a write that stopped halfway had listed
        self.changed()

    async def _listed(self) -> tuple[bytes, ...]:
        return tuple([key async for page in self.pages() for key in page])

    async def _written(self, key: bytes, value: bytes, *, absent: bool = False) -> bytes | None:
        async with self.room.writer.turn(self._named(key)) as mark:
            return await again(lambda: self._entries().write(key, value, mark, absent=absent))

    async def _taken(self, key: bytes, *, wanted: bool = False) -> tuple[bool, bytes | None]:
        async with self.room.writer.turn(self._named(key)) as mark:
            return await again(lambda: self._entries().take(key, mark, wanted=wanted))

    def _named(self, key: bytes) -> bytes:
        return b"%s/%s" % (self.address.name.encode(), key)


class ServedDict(_Table):
    """A dict."""

    calls = frozenset(
        {"get", "contains", "put", "remove", "pop", "default", "values", "keys", "items", "size", "clear"}
    )
    bulk = frozenset({"put"})

    async def get(self, key: bytes) -> bytes | None:
        """The value of a key, if it has one."""
        found = await again(lambda: self._entries().get(key))
        return None if isinstance(found, Missing) else found

    async def put(self, pairs: Sequence[tuple[bytes, bytes]]) -> None:
        """Set the values of keys; not all of them at once."""
        await each(lambda pair: self._written(*pair), pairs)
        self.changed(key for key, _ in pairs)

    async def pop(self, key: bytes) -> bytes | None:
        """Remove a key and return its value; of several who pop it, one has it."""
        _, value = await self._taken(key, wanted=True)
        self.changed((key,))
        return value

    async def default(self, key: bytes, value: bytes) -> bytes:
        """The value of a key, which is `value` from now on if it had none; the same for all who do this."""
        if (found := await self.get(key)) is not None:
            return found
        there = await self._written(key, value, absent=True)
        self.changed((key,))
        return value if there is None else there

    async def values(self, keys: Sequence[bytes]) -> tuple[bytes | None, ...]:
        """The values of several keys."""
        return tuple(await each(self.get, keys))

    async def keys(self) -> tuple[bytes, ...]:
        """All keys."""
        return await again_all(self._listed)

    async def items(self) -> tuple[tuple[bytes, bytes], ...]:
        """All keys with their values."""
        return tuple(await again_all(lambda: self._entries().items()))


class ServedSet(_Table):
    """A set."""

    calls = frozenset({"contains", "add", "discard", "remove", "values", "members", "size", "clear"})
    bulk = frozenset({"add"})

    async def add(self, members: Sequence[bytes]) -> None:
        """Add members."""
        await each(lambda member: self._written(member, b""), members)
        self.changed(members)

    async def discard(self, member: bytes) -> None:
        """Remove a member if it is there."""
        await self.remove(member)

    async def values(self, members: Sequence[bytes]) -> tuple[bytes | None, ...]:
        """Those of `members` that are there, None for the others."""
        found = await each(self.contains, members)
        return tuple(member if there else None for member, there in zip(members, found, strict=True))

    async def members(self) -> tuple[bytes, ...]:
        """All members."""
        return await again_all(self._listed)
