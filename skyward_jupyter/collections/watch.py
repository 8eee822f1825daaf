"""Seeing a collection change, and reading it a piece at a time: what a live view of one is made of.

While somebody watches a collection, every agent keeps a short journal of what is done to it there, and the kernel
waits for news at each of them; nobody watches, nothing is kept or sent. A change is heard about within a fifth of a
second. Nothing is promised about the order of changes made on different nodes: who hears of a key reads it again.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from skyward_jupyter.collections.address import Address, Kind, Who

if TYPE_CHECKING:
    from skyward_jupyter.collections.engine import Engine


@dataclass(frozen=True, slots=True)
class Changes:
    """What has changed since the last call.

    Attributes
    ----------
    keys
        The encoded keys (dict) or members (set) that were written or removed; None when anything may have changed, as
        after a `clear`, a burst, the loss of a node, and always for the other kinds.
    """

    keys: tuple[bytes, ...] | None


@dataclass(frozen=True, slots=True)
class QueueView:
    """How a queue stands.

    Attributes
    ----------
    length
        How many items wait.
    front
        The encoded item that is next, if there is one. What comes after it cannot be read without taking it.
    takers
        Who waits for an item.
    """

    length: int
    front: bytes | None
    takers: tuple[Who, ...]


@dataclass(frozen=True, slots=True)
class BarrierView:
    """How a barrier stands: how many it takes, how often it has opened, and who waits at it now."""

    parties: int
    generation: int
    arrived: tuple[Who, ...]


@dataclass(frozen=True, slots=True)
class LockView:
    """How a lock stands.

    Attributes
    ----------
    holder, token, since
        Who has it, with which fencing token, and since when (seconds since the epoch); None while it is free.
    waiters
        Who waits for it; in no order.
    """

    holder: Who | None
    token: int | None
    since: float | None
    waiters: tuple[Who, ...]


class Watch:
    """One collection of a pool, as a view sees it. `skyward_jupyter.api.collections.watch` makes one.

    Everything is called, and calls back, on the runtime's loop. Readers may be cancelled at any time; one that a pool
    without nodes, or a cluster that changes, cannot answer raises `SkywardError`.
    """

    def __init__(self, engine: Engine, kind: Kind, name: str) -> None:
        self.kind = kind
        self.name = name
        self._engine = engine
        self._address: Address | None = None

    def start(self, heard: Callable[[Changes], None]) -> Callable[[], None]:
        """Call `heard` with what changes from now on; returns what ends that."""
        raise NotImplementedError

    def scan(self) -> AsyncIterator[tuple[bytes, ...]]:
        """The encoded keys of a dict, or members of a set, some hundred at a time, each once. No snapshot."""
        raise NotImplementedError

    async def values(self, keys: Sequence[bytes]) -> dict[bytes, bytes]:
        """The encoded values of those of `keys` that a dict has now; of a set, those members it has, each as itself."""
        raise NotImplementedError

    async def size(self) -> int:
        """How many keys, members or items there are."""
        raise NotImplementedError

    async def counter(self) -> int:
        """What a counter stands at."""
        raise NotImplementedError

    async def queue(self) -> QueueView:
        """How a queue stands."""
        raise NotImplementedError

    async def barrier(self) -> BarrierView:
        """How a barrier stands."""
        raise NotImplementedError

    async def lock(self) -> LockView:
        """How a lock stands."""
        raise NotImplementedError
