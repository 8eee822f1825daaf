"""A set that the nodes of a pool share."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator
from typing import Any

from skyward_jupyter.collections import keys
from skyward_jupyter.collections.collection import Container, Request, same


class SharedSet[T](Container):
    """Members, each once. Each call is a step of its own.

    A method that waits has a twin to await, ``add`` and ``add_async``; those of the operators are `contains_async` and
    `len_async`.
    """

    def add(self, member: T) -> None:
        """Add a member."""
        self._now(self._add("add_async", (member,)))

    async def add_async(self, member: T) -> None:
        """`add`, to await."""
        await self._later(self._add("add_async", (member,)))

    def update(self, *others: Iterable[T]) -> None:
        """Add many members side by side, which is quicker than one after the other; not all at one moment."""
        self._now(self._add("update_async", (member for other in others for member in other)))

    async def update_async(self, *others: Iterable[T]) -> None:
        """`update`, to await."""
        await self._later(self._add("update_async", (member for other in others for member in other)))

    def discard(self, member: T) -> None:
        """Remove a member if it is there."""
        self._now(self._discard(member))

    async def discard_async(self, member: T) -> None:
        """`discard`, to await."""
        await self._later(self._discard(member))

    def remove(self, member: T) -> None:
        """Remove a member; KeyError when it is not there."""
        __tracebackhide__ = True
        self._now(self._remove(member))

    async def remove_async(self, member: T) -> None:
        """`remove`, to await."""
        await self._later(self._remove(member))

    def __contains__(self, member: object) -> bool:
        return self._now(self._contains(member))

    async def contains_async(self, member: object) -> bool:
        """``member in s``."""
        return await self._later(self._contains(member))

    def members(self) -> list[T]:
        """The members, as a list in no order."""
        return self._now(_MEMBERS)

    async def members_async(self) -> list[T]:
        """`members`, to await."""
        return await self._later(_MEMBERS)

    def __iter__(self) -> Iterator[T]:
        return iter(self.members())

    async def __aiter__(self) -> AsyncIterator[T]:
        for member in await self.members_async():
            yield member

    def _add(self, twin: str, members: Iterable[object]) -> Request[None]:
        return Request(twin, "add", (tuple(map(keys.encoded, members)),), same)

    def _discard(self, member: object) -> Request[None]:
        return Request("discard_async", "discard", (keys.encoded(member),), same)

    def _remove(self, member: object) -> Request[None]:
        def read(removed: bool) -> None:
            if not removed:
                raise KeyError(member)

        return Request("remove_async", "remove", (keys.encoded(member),), read)

    def _contains(self, member: object) -> Request[bool]:
        return Request("contains_async", "contains", (keys.encoded(member),), same)


def _read(data: tuple[bytes, ...]) -> list[Any]:
    return [keys.decoded(member) for member in data]


_MEMBERS: Request[list[Any]] = Request("members_async", "members", (), _read)
