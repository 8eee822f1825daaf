"""Dicts and sets, as bytes: casty keeps each entry, and an index of the keys, under keys of their own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from hashlib import blake2b
from typing import cast

from casty.collections import Dict, Lease, Missing, Set

from skyward_jupyter.collections.address import Address
from skyward_jupyter.collections.served import TRY_ALL, Room, Served, again, each, level

#: Locks of a dict that order those of its calls that read and then write.
_LOCKS = 16
#: Longer than any of these takes (seconds).
_LOCKED = 20.0


class ServedDict(Served):
    """A dict."""

    calls = frozenset(
        {"get", "contains", "put", "remove", "pop", "default", "values", "keys", "items", "size", "clear"}
    )
    bulk = frozenset({"put"})
    long = frozenset({"keys", "items", "size", "clear"})

    def __init__(self, room: Room, address: Address) -> None:
        super().__init__(room, address)
        self._dict: Dict[bytes, bytes] = room.collections.dict(
            address.name, key=bytes, value=bytes, write=level(address.consistency)
        )

    async def begin(self) -> None:
        """Be ready for the first call."""
        await self.contains(b"")

    async def get(self, key: bytes) -> bytes | None:
        """The value of a key, if it has one."""
        found = await again(lambda: self._dict.get(key))
        return None if isinstance(found, Missing) else found

    async def contains(self, key: bytes) -> bool:
        """Whether there is such a key."""
        return await again(lambda: self._dict.contains(key))

    async def put(self, pairs: Sequence[tuple[bytes, bytes]]) -> None:
        """Set the values of keys; not all of them at once."""
        await each(lambda pair: again(lambda: self._dict.put(*pair)), pairs)
        self.changed(key for key, _ in pairs)

    async def remove(self, key: bytes) -> bool:
        """Remove a key; whether it was there."""
        removed = await self._dict.remove(key)
        self.changed((key,))
        return removed

    async def pop(self, key: bytes) -> bytes | None:
        """Remove a key and return its value; of several who pop it, one has it."""
        async with await self._ordered(key):
            found = await self.get(key)
            return found if found is not None and await self.remove(key) else None

    async def default(self, key: bytes, value: bytes) -> bytes:
        """The value of a key, which is `value` from now on if it had none; the same for all who do this."""
        if (found := await self.get(key)) is not None:
            return found
        async with await self._ordered(key):
            if (found := await self.get(key)) is not None:
                return found
            await self.put(((key, value),))
            return value

    async def values(self, keys: Sequence[bytes]) -> tuple[bytes | None, ...]:
        """The values of several keys."""
        return tuple(await each(self.get, keys))

    async def size(self) -> int:
        """How many keys there are."""
        return await again(self._dict.size, TRY_ALL)

    async def keys(self) -> tuple[bytes, ...]:
        """All keys."""
        return await again(self._keys, TRY_ALL)

    async def _keys(self) -> tuple[bytes, ...]:
        return tuple([key async for page in self.pages() for key in page])

    async def items(self) -> tuple[tuple[bytes, bytes], ...]:
        """All keys with their values."""
        return tuple(await again(self._dict.items, TRY_ALL))

    async def pages(self) -> AsyncIterator[tuple[bytes, ...]]:
        """All keys, some hundred at a time."""
        async for page in _listed(self._dict):
            yield page

    async def clear(self) -> None:
        """Remove everything."""
        await again(self._dict.clear, TRY_ALL)
        self.changed()

    async def _ordered(self, key: bytes) -> Lease:
        stripe = blake2b(key, digest_size=2).digest()[0] % _LOCKS
        # No name of a user's lock begins like this one.
        lock = self.room.collections.lock(f"~dict/{self.address.name}/{stripe}", ttl=_LOCKED)
        await again(lock.locked)
        return await lock.acquire()


class ServedSet(Served):
    """A set."""

    calls = frozenset({"contains", "add", "discard", "remove", "values", "members", "size", "clear"})
    bulk = frozenset({"add"})
    long = frozenset({"members", "size", "clear"})

    def __init__(self, room: Room, address: Address) -> None:
        super().__init__(room, address)
        self._set: Set[bytes] = room.collections.set(address.name, value=bytes, write=level(address.consistency))

    async def begin(self) -> None:
        """Be ready for the first call."""
        await self.contains(b"")

    async def add(self, members: Sequence[bytes]) -> None:
        """Add members."""
        await each(lambda member: again(lambda: self._set.add(member)), members)
        self.changed(members)

    async def remove(self, member: bytes) -> bool:
        """Remove a member; whether it was there."""
        removed = await self._set.remove(member)
        self.changed((member,))
        return removed

    async def discard(self, member: bytes) -> None:
        """Remove a member if it is there."""
        await again(lambda: self._set.remove(member))
        self.changed((member,))

    async def contains(self, member: bytes) -> bool:
        """Whether it is a member."""
        return await again(lambda: self._set.contains(member))

    async def values(self, members: Sequence[bytes]) -> tuple[bytes | None, ...]:
        """Those of `members` that are there, None for the others."""
        found = await each(self.contains, members)
        return tuple(member if there else None for member, there in zip(members, found, strict=True))

    async def members(self) -> tuple[bytes, ...]:
        """All members."""
        return await again(self._members, TRY_ALL)

    async def _members(self) -> tuple[bytes, ...]:
        return tuple([member async for page in self.pages() for member in page])

    async def pages(self) -> AsyncIterator[tuple[bytes, ...]]:
        """All members, some hundred at a time."""
        async for page in _listed(self._set):
            yield page

    async def size(self) -> int:
        """How many members there are."""
        return await again(self._set.size, TRY_ALL)

    async def clear(self) -> None:
        """Remove everything."""
        await again(self._set.clear, TRY_ALL)
        self.changed()


async def _listed(table: Dict[bytes, bytes] | Set[bytes]) -> AsyncIterator[tuple[bytes, ...]]:
    """What a table's index lists, a segment at a time.

    casty's own `scan` of a dict asks every entry for its value too, which for the keys alone is a thousand times the
    work, and its `scan` of a set gives one member at a time. There is no other public way to the index.
    """
    load = cast(Callable[[bytes], bytes], (table._key if isinstance(table, Dict) else table._value).load)
    async for listed in table._index.scan():
        yield tuple(map(load, listed))
