"""What serves one collection, whichever kind it is: the part that the kinds share."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Iterator, Sequence
from contextvars import Context
from dataclasses import dataclass, field
from typing import Any, ClassVar

from casty import ActorFailed, System, Unavailable, Write
from casty.collections import Collections

from skyward_jupyter.collections.address import Address, Consistency, Kind, Who
from skyward_jupyter.collections.journal import Journals
from skyward_jupyter.collections.patience import Patience, over
from skyward_jupyter.collections.presence import Presence, Present
from skyward_jupyter.collections.writer import Writer
from skyward_jupyter.tasks import Tasks, apart, side_by_side

log = logging.getLogger("skyward")

#: How many keys are asked about at once.
_AT_ONCE = 64
#: Seconds after which something that was not answered is asked again: one question, one about much, or many.
TRY, TRY_PART, TRY_ALL = 2.0, 5.0, 20.0
#: How many of many are taken at a time.
_PIECE = 512
_PAUSE = 0.1
#: What casty says of anything that is asked of a system after its end; another may have taken its place since.
STOPPED = "the system has stopped"


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


async def again[T](operation: Callable[[], Awaitable[T]], within: float = TRY) -> T:
    """Do something that does no harm when it is done twice, until it is answered or its call has had its time.

    What a node was asked that is lost meanwhile is never answered, and nobody says so. It does no harm to read twice,
    nor to make a write under one `skyward_jupyter.collections.writer.Mark`.
    """
    task, began, times = asyncio.current_task(), asyncio.get_running_loop().time(), 0
    assert task is not None
    cancelled, stopped = task.cancelling(), False
    while True:
        times += 1
        try:
            async with Patience(within):
                return await operation()
        except (TimeoutError, Unavailable, ActorFailed, RuntimeError, BaseExceptionGroup) as error:
            if task.cancelling() > cancelled:
                # A task group whose task fails just then raises that, and the cancellation is not heard of again.
                raise asyncio.CancelledError from error
            left = str(_first(error)) == STOPPED
            if over() or not (_passing(error) or (left and not stopped)):
                raise
            stopped = left
            log.debug("no answer to try %d, %.1f s after the first: %r", times, _since(began), _first(error))
        await asyncio.sleep(_PAUSE)


async def again_all[T](operation: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Do `again` what asks many at once, and so may take a while."""
    return await again(lambda: apart(operation()), TRY_ALL)


def _first(error: BaseException) -> BaseException:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def _since(began: float) -> float:
    return asyncio.get_running_loop().time() - began


def _passing(error: BaseException) -> bool:
    """Whether it says no more than that somebody could not be reached just now."""
    match error:
        case BaseExceptionGroup():
            return all(map(_passing, error.exceptions))
        case ActorFailed():
            return error.error in ("Unavailable", "TimeoutError")
        case _:
            return isinstance(error, TimeoutError | Unavailable)


async def each[I, T](operation: Callable[[I], Awaitable[T]], items: Iterable[I]) -> list[T]:
    """`operation` on all items, some at a time; the results in their order."""
    among = list(items)
    if len(among) <= 1:
        return [await operation(item) for item in among]
    waiting = iter(enumerate(among))
    found: dict[int, T] = {}

    async def work() -> None:
        for at, item in waiting:
            found[at] = await operation(item)

    await side_by_side([work] * min(_AT_ONCE, len(among)))
    return [found[at] for at in sorted(found)]
