"""What the collections have in common: a name, a way to the pool, and that they travel as what they name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, Self

from skyward_jupyter.collections import place
from skyward_jupyter.collections.address import Address, Consistency, Kind
from skyward_jupyter.errors import UsageError

type Bundle = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Request[T]:
    """A call, and what to make of what it gives.

    Attributes
    ----------
    twin
        The user's method to await instead, where blocking is refused.
    """

    twin: str
    method: str
    args: tuple[Any, ...]
    read: Callable[[Any], T]


class Collection:
    """A collection, by its name: making one, sending it and copying it touch nothing of what is in it."""

    def __init__(self, address: Address, pool: Any = None) -> None:
        self._address = address
        self._pool = place.find(getattr(pool, "name", pool)).pool

    @property
    def name(self) -> str:
        """Its name."""
        return self._address.name

    @property
    def kind(self) -> Kind:
        """Which of the six it is."""
        return self._address.kind

    @property
    def consistency(self) -> Consistency:
        """``"strong"`` or ``"eventual"``."""
        return self._address.consistency

    @property
    def pool(self) -> str:
        """The name of its pool."""
        return self._pool

    def __repr__(self) -> str:
        return f"<{self._address} of pool {self._pool!r}>"

    def _ipython_display_(self) -> None:
        """In a notebook, be shown live."""
        if not _present(self):
            raise NotImplementedError  # which has IPython look for the other forms

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> Any:
        return _bundle(self)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Collection):
            return NotImplemented
        return (self._address, self._pool) == (other._address, other._pool)

    def __hash__(self) -> int:
        return hash((self._address, self._pool))

    def __reduce__(self) -> tuple[Any, ...]:
        return _again, (type(self), self._address, self._pool)

    def _now[T](self, request: Request[T]) -> T:
        """Make a call and wait for it."""
        __tracebackhide__ = True
        here = place.find(self._pool)
        instead = f"await {self.kind}.{request.twin}(...)"
        return request.read(here.call(self._address, request.method, request.args, instead))

    async def _later[T](self, request: Request[T]) -> T:
        """Make a call, to await."""
        __tracebackhide__ = True
        here = place.find(self._pool)
        return request.read(await here.call_async(self._address, request.method, request.args))

    @classmethod
    def _named(cls, address: Address, pool: str) -> Self:
        made = cls.__new__(cls)
        made._address, made._pool = address, pool
        return made


class Display(Protocol):
    """Shows collections."""

    def present(self, collection: Collection) -> bool:
        """Display it live, and at the end by what stays readable; False where nothing can be live."""
        ...

    def bundle(self, collection: Collection) -> Bundle:
        """What displays it now, by MIME type."""
        ...


_display: Display | None = None


def enter(display: Display) -> None:
    """Say what shows the collections of this process."""
    global _display
    _display = display


def _present(collection: Collection) -> bool:
    return _display is not None and _display.present(collection)


def _bundle(collection: Collection) -> Bundle:
    return {"text/plain": repr(collection)} if _display is None else _display.bundle(collection)


def _again(kind: type[Collection], address: Address, pool: str) -> Collection:
    """The same collection, wherever this is: its pool is looked for when it is used."""
    return kind._named(address, pool)


def same[T](value: T) -> T:
    """What a call gives is what is wanted."""
    return value


def checked_timeout(timeout: object) -> float | None:
    """Seconds to wait: none, some, or None for as long as it takes."""
    if timeout is None:
        return None
    if isinstance(timeout, bool) or not isinstance(timeout, int | float) or not 0 <= timeout < float("inf"):
        raise UsageError(f"timeout is {timeout!r}; it is seconds from 0, or None to wait for as long as it takes")
    return float(timeout)


class Container(Collection):
    """One that holds things: they can be counted, and all of them removed."""

    def __len__(self) -> int:
        return self._now(_SIZE)

    async def len_async(self) -> int:
        """``len``, to await."""
        return await self._later(_SIZE)

    def __bool__(self) -> bool:
        return len(self) > 0

    def clear(self) -> None:
        """Remove everything that is there; not all at one moment."""
        self._now(_CLEAR)

    async def clear_async(self) -> None:
        """`clear`, to await."""
        await self._later(_CLEAR)


_SIZE: Request[int] = Request("len_async", "size", (), same)
_CLEAR: Request[None] = Request("clear_async", "clear", (), same)
