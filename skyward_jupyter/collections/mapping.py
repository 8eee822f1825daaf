"""A dict that the nodes of a pool share."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from typing import Any

from skyward_jupyter.collections import keys, values
from skyward_jupyter.collections.collection import Container, Request, same

_ABSENT: Any = object()


class SharedDict[K, V](Container):
    """Values by key. Each call is a step of its own; what is read together need not have been there together.

    A method that waits has a twin to await, ``get`` and ``get_async``; those of the operators are `getitem_async`,
    `setitem_async` (also called `set_async`), `delitem_async`, `contains_async` and `len_async`.
    """

    # -- one key ---------------------------------------------------------------------------------------------------

    def __getitem__(self, key: K) -> V:
        __tracebackhide__ = True
        value: V = self._now(self._getitem(key))
        return value

    async def getitem_async(self, key: K) -> V:
        """``d[key]``."""
        value: V = await self._later(self._getitem(key))
        return value

    def get(self, key: K, default: Any = None) -> V | Any:
        """The value of `key`, or `default`."""
        return self._now(self._get(key, default))

    async def get_async(self, key: K, default: Any = None) -> V | Any:
        """`get`, to await."""
        return await self._later(self._get(key, default))

    def __setitem__(self, key: K, value: V) -> None:
        self._now(self._put("setitem_async", ((key, value),)))

    async def setitem_async(self, key: K, value: V) -> None:
        """``d[key] = value``."""
        await self._later(self._put("setitem_async", ((key, value),)))

    set_async = setitem_async

    def __delitem__(self, key: K) -> None:
        __tracebackhide__ = True
        self._now(self._delitem(key))

    async def delitem_async(self, key: K) -> None:
        """``del d[key]``."""
        await self._later(self._delitem(key))

    def __contains__(self, key: object) -> bool:
        return self._now(self._contains(key))

    async def contains_async(self, key: object) -> bool:
        """``key in d``."""
        return await self._later(self._contains(key))

    def pop(self, key: K, default: Any = _ABSENT) -> V | Any:
        """Remove `key` and return its value, or `default`: of several who pop it, one gets it."""
        __tracebackhide__ = True
        return self._now(self._pop(key, default))

    async def pop_async(self, key: K, default: Any = _ABSENT) -> V | Any:
        """`pop`, to await."""
        return await self._later(self._pop(key, default))

    def setdefault(self, key: K, default: Any = None) -> V | Any:
        """The value of `key`, which is `default` from now on if it had none; all who do this get the same."""
        return self._now(self._setdefault(key, default))

    async def setdefault_async(self, key: K, default: Any = None) -> V | Any:
        """`setdefault`, to await."""
        return await self._later(self._setdefault(key, default))

    # -- many keys -------------------------------------------------------------------------------------------------

    def update(self, other: Mapping[K, V] | Iterable[tuple[K, V]] = (), /, **named: V) -> None:
        """Set many keys side by side, which is quicker than one after the other; not all at one moment."""
        self._now(self._put("update_async", _pairs(other, named)))

    async def update_async(self, other: Mapping[K, V] | Iterable[tuple[K, V]] = (), /, **named: V) -> None:
        """`update`, to await."""
        await self._later(self._put("update_async", _pairs(other, named)))

    def keys(self) -> list[K]:
        """The keys, as a list."""
        return self._now(_KEYS)

    async def keys_async(self) -> list[K]:
        """`keys`, to await."""
        return await self._later(_KEYS)

    def values(self) -> list[V]:
        """The values, as a list."""
        return [value for _, value in self.items()]

    async def values_async(self) -> list[V]:
        """`values`, to await."""
        return [value for _, value in await self.items_async()]

    def items(self) -> list[tuple[K, V]]:
        """The keys with their values, as a list."""
        return self._now(_ITEMS)

    async def items_async(self) -> list[tuple[K, V]]:
        """`items`, to await."""
        return await self._later(_ITEMS)

    def __iter__(self) -> Iterator[K]:
        return iter(self.keys())

    async def __aiter__(self) -> AsyncIterator[K]:
        for key in await self.keys_async():
            yield key

    # -- requests --------------------------------------------------------------------------------------------------

    def _get(self, key: object, default: Any) -> Request[Any]:
        def read(data: bytes | None) -> Any:
            return default if data is None else values.decoded(data)

        return Request("get_async", "get", (keys.encoded(key),), read)

    def _getitem(self, key: object) -> Request[Any]:
        return Request("getitem_async", "get", (keys.encoded(key),), lambda data: _there(key, data))

    def _put(self, twin: str, pairs: Iterable[tuple[Any, Any]]) -> Request[None]:
        encoded = tuple((keys.encoded(key), values.encoded(value, f"the value of {key!r}")) for key, value in pairs)
        return Request(twin, "put", (encoded,), same)

    def _delitem(self, key: object) -> Request[None]:
        def read(removed: bool) -> None:
            if not removed:
                raise KeyError(key)

        return Request("delitem_async", "remove", (keys.encoded(key),), read)

    def _contains(self, key: object) -> Request[bool]:
        return Request("contains_async", "contains", (keys.encoded(key),), same)

    def _pop(self, key: object, default: Any) -> Request[Any]:
        def read(data: bytes | None) -> Any:
            return default if data is None and default is not _ABSENT else _there(key, data)

        return Request("pop_async", "pop", (keys.encoded(key),), read)

    def _setdefault(self, key: object, default: object) -> Request[Any]:
        value = values.encoded(default, f"the value of {key!r}")
        return Request("setdefault_async", "default", (keys.encoded(key), value), values.decoded)


def _there(key: object, data: bytes | None) -> Any:
    if data is None:
        raise KeyError(key)
    return values.decoded(data)


def _pairs(other: Any, named: Mapping[str, Any]) -> list[tuple[Any, Any]]:
    """As `dict.update` reads what it is given."""
    return list(dict(other.items() if isinstance(other, SharedDict) else other, **named).items())


def _read_keys(data: tuple[bytes, ...]) -> list[Any]:
    return [keys.decoded(key) for key in data]


def _read_items(pairs: tuple[tuple[bytes, bytes], ...]) -> list[tuple[Any, Any]]:
    return [(keys.decoded(key), values.decoded(value)) for key, value in pairs]


_KEYS: Request[list[Any]] = Request("keys_async", "keys", (), _read_keys)
_ITEMS: Request[list[tuple[Any, Any]]] = Request("items_async", "items", (), _read_items)
