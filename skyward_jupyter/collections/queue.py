"""A queue that the nodes of a pool share."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from skyward_jupyter.collections import values
from skyward_jupyter.collections.collection import Collection, Request, checked_timeout, same


class SharedQueue[T](Collection):
    """Items, first in, first out, each handed to one consumer; those who wait are served in the order they came.

    A method that waits has a twin to await, ``get`` and ``get_async``; that of ``len`` is `len_async`.
    """

    def put(self, item: T) -> None:
        """Append an item."""
        self._now(_put("put_async", (item,)))

    async def put_async(self, item: T) -> None:
        """`put`, to await."""
        await self._later(_put("put_async", (item,)))

    def put_many(self, items: Iterable[T]) -> None:
        """Append items in their order; others may put theirs between them."""
        self._now(_put("put_many_async", items))

    async def put_many_async(self, items: Iterable[T]) -> None:
        """`put_many`, to await."""
        await self._later(_put("put_many_async", items))

    def get(self, timeout: float | None = None) -> T | None:
        """Take the next item.

        Parameters
        ----------
        timeout
            Seconds to wait for one, after which it gives None; 0 does not wait. None waits until one comes.
        """
        item: T | None = self._now(_get(timeout))
        return item

    async def get_async(self, timeout: float | None = None) -> T | None:
        """`get`, to await."""
        item: T | None = await self._later(_get(timeout))
        return item

    def empty(self) -> bool:
        """Whether nothing waits in it now."""
        return self._now(_EMPTY)

    async def empty_async(self) -> bool:
        """`empty`, to await."""
        return await self._later(_EMPTY)

    def __len__(self) -> int:
        return self._now(_SIZE)

    async def len_async(self) -> int:
        """``len(q)``."""
        return await self._later(_SIZE)

    def __bool__(self) -> bool:
        return not self.empty()

    def clear(self) -> None:
        """Remove what is in it; an item that is put meanwhile may stay."""
        self._now(_CLEAR)

    async def clear_async(self) -> None:
        """`clear`, to await."""
        await self._later(_CLEAR)


def _put(twin: str, items: Iterable[object]) -> Request[None]:
    return Request(twin, "put", (tuple(values.encoded(item, "the item") for item in items),), same)


def _get(timeout: float | None) -> Request[Any]:
    def read(data: bytes | None) -> Any:
        return None if data is None else values.decoded(data)

    return Request("get_async", "get", (checked_timeout(timeout),), read)


_EMPTY: Request[bool] = Request("empty_async", "empty", (), same)
_SIZE: Request[int] = Request("len_async", "size", (), same)
_CLEAR: Request[None] = Request("clear_async", "clear", (), same)
