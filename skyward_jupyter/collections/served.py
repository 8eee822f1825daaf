"""What serves one collection, whichever kind it is: the part that the kinds share."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Iterable, Iterator, Sequence
from contextvars import Context
from dataclasses import dataclass, field
from typing import Any, ClassVar

from casty import System, Write
from casty.collections import Collections

from skyward_jupyter.collections.address import Address, Consistency, Kind, Who
from skyward_jupyter.collections.journal import Journals
from skyward_jupyter.collections.presence import Presence, Present
from skyward_jupyter.collections.writer import Writer
from skyward_jupyter.tasks import Tasks

#: How many of many are taken at a time.
_PIECE = 512


@dataclass(eq=False)
class Room:
    """What everything that serves a collection in one process works with.

    Attributes
    ----------
    reach
        The data nodes, as one of them or as their client: another client where the link to them was made anew.
    life
        Names this start of this process among the members of the cluster of all nodes, and their clients.
    ranks
        The nodes that the pool has now.
    everybody
        Who is at a collection, through all engines of the pool.
    writer
        Numbers the writes that are made from here.
    """

    reach: Callable[[], System]
    life: Callable[[], str]
    journals: Journals
    presence: Presence
    ranks: Callable[[], Sequence[int]]
    everybody: Callable[[Kind, str], Awaitable[tuple[Present, ...]]]
    writer: Writer = field(default_factory=Writer)
    _tasks: Tasks = field(default_factory=lambda: Tasks("work of a collection that nobody waits for"))
    _collections: tuple[System, Collections] | None = None

    @property
    def system(self) -> System:
        """The cluster, as it is reached now."""
        return self.reach()

    @property
    def collections(self) -> Collections:
        """casty's collections there."""
        system = self.system
        if self._collections is None or self._collections[0] is not system:
            self._collections = system, Collections(system)
        return self._collections[1]

    def own(self, work: Coroutine[Any, Any, Any]) -> None:
        """Do something beside everything else, to its end; it has the time of no call."""
        _ = self._tasks.begin(work, context=Context())


class Linked[T]:
    """What is made once of the cluster, and anew when the link to it was."""

    def __init__(self, reach: Callable[[], System], make: Callable[[], T]) -> None:
        self._reach = reach
        self._make = make
        self._made: tuple[System, T] | None = None

    def __call__(self) -> T:
        system = self._reach()
        if self._made is None or self._made[0] is not system:
            self._made = system, self._make()
        return self._made[1]


class Served:
    """One collection of a room.

    Attributes
    ----------
    calls
        What may be asked of it.
    bulk, long
        Those of many keys, which are made some at a time, and those of a whole collection, which may take minutes.
    waits
        Those that wait for others; they are told who calls, and end by a time of their own.
    """

    calls: ClassVar[frozenset[str]] = frozenset()
    bulk: ClassVar[frozenset[str]] = frozenset()
    long: ClassVar[frozenset[str]] = frozenset()
    waits: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, room: Room, address: Address) -> None:
        self.room = room
        self.address = address

    async def begin(self) -> None:
        """Be ready for the first call."""

    def pieces(self, items: Sequence[Any]) -> Iterator[Sequence[Any]]:
        """What a call of many is given, cut into as much as is taken at a time."""
        for start in range(0, len(items), _PIECE):
            yield items[start : start + _PIECE]

    def changed(self, keys: Iterable[bytes] | None = None) -> None:
        """Tell those who watch."""
        self.room.journals.note(self.address.kind, self.address.name, keys)

    def call(self, method: str, args: tuple[Any, ...], who: Who) -> Awaitable[Any]:
        """Make one of the calls that it has."""
        if method in self.waits:
            return getattr(self, method)(who, *args)  # type: ignore[no-any-return]
        if method in self.calls:
            return getattr(self, method)(*args)  # type: ignore[no-any-return]
        raise AttributeError(f"{self.address} has no {method}")


def level(consistency: Consistency) -> Write:
    """How many of the three copies of something confirm a change to it before it counts."""
    return "majority" if consistency == "strong" else "one"
