"""Seeing a collection change, and reading it a piece at a time: what a live view of one is made of.

While somebody watches a collection, every agent keeps a short journal of what is done to it there, and the kernel
waits for news at each of them; nobody watches, nothing is kept or sent. A change is heard about within a fifth of a
second. Nothing is promised about the order of changes made on different nodes: who hears of a key reads it again.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from skyward_jupyter.collections.address import Address, Kind, Who
from skyward_jupyter.collections.engine import Engine, told
from skyward_jupyter.collections.following import Changes, Following
from skyward_jupyter.collections.presence import Present
from skyward_jupyter.collections.steward import Generation
from skyward_jupyter.errors import CollectionMismatch

__all__ = ["BarrierView", "Changes", "LockView", "QueueView", "Watch"]


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
        Who has it, with which fencing token, and since when (by the clock here); None while it is free.
    waiters
        Who waits for it; in no order.
    """

    holder: Who | None
    token: int | None
    since: float | None
    waiters: tuple[Who, ...]


class Watch:
    """One collection of a pool, as a view sees it. `skyward_jupyter.api.collections.watch` makes one.

    Everything is called, and calls back, on the runtime's loop. Readers may be cancelled at any time; what a pool
    without nodes, or a cluster that changes, cannot answer raises `SkywardError`. A collection that nobody has used
    yet is empty, and read as such.

    Parameters
    ----------
    turned
        Gives the event that is set when the nodes of the pool have changed next.
    """

    def __init__(self, engine: Engine, kind: Kind, name: str, turned: Callable[[], asyncio.Event]) -> None:
        self.kind = kind
        self.name = name
        self._engine = engine
        self._turned = turned

    def start(self, heard: Callable[[Changes], None]) -> Callable[[], None]:
        """Call `heard` with what changes; returns what ends that.

        The first call, with `keys` None, comes when every node is listened to: what is read after it misses nothing.
        """
        following = Following(self._engine, self.kind, self.name, self._turned, heard)
        return following.stop

    async def scan(self) -> AsyncIterator[tuple[bytes, ...]]:
        """The encoded keys of a dict, or members of a set, some hundred at a time, each once. No snapshot."""
        if (address := await self._address()) is not None:
            with told(address):
                async for page in self._engine.pages(address):
                    yield page

    async def values(self, keys: Sequence[bytes]) -> dict[bytes, bytes]:
        """The encoded values of those of `keys` that a dict has now; of a set, those members it has, each as itself."""
        found = await self._call("values", (tuple(keys),), ())
        return {key: value for key, value in zip(keys, found, strict=False) if value is not None}

    async def size(self) -> int:
        """How many keys, members or items there are."""
        size: int = await self._call("size", (), 0)
        return size

    async def counter(self) -> int:
        """What a counter stands at."""
        value: int = await self._call("get", (), 0)
        return value

    async def queue(self) -> QueueView:
        """How a queue stands."""
        size, front, there = await asyncio.gather(
            self.size(), self._call("front", (), None), self._engine.everybody(self.kind, self.name)
        )
        return QueueView(size, front, _waiting(there))

    async def barrier(self) -> BarrierView:
        """How a barrier stands."""
        address = await self._address()
        parties = (address.parties if address is not None else 0) or len(self._engine.members())
        there = await self._engine.everybody(self.kind, self.name)
        nodes: list[int] = await self._engine.ask_others(lambda node: node.ask(Generation(self.name)))
        generation = max((self._engine.generation(self.name), *nodes))
        return BarrierView(parties, generation, _waiting(there))

    async def lock(self) -> LockView:
        """How a lock stands."""
        there = await self._engine.everybody(self.kind, self.name)
        holders = sorted((one for one in there if one.role == "holds"), key=lambda one: one.token)
        if not holders:
            return LockView(None, None, None, _waiting(there))
        last = holders[-1]
        return LockView(last.who, last.token, time.time() - last.age, _waiting(there))

    async def _address(self) -> Address | None:
        """What the name stands for; None while it is nothing yet."""
        with told(f"{self.kind} {self.name!r}"):
            found = await (await self._engine.names()).find(self.name)
        if found is not None and found.kind != self.kind:
            raise CollectionMismatch(f"{self.name!r} is {found.settings} in this pool, and no {self.kind}")
        return found

    async def _call(self, method: str, args: tuple[Any, ...], empty: Any) -> Any:
        address = await self._address()
        return empty if address is None else await self._engine.call(address, method, args, Who(None), is_users=False)


def _waiting(there: Sequence[Present]) -> tuple[Who, ...]:
    return tuple(one.who for one in sorted(there, key=lambda one: -one.age) if one.role == "waits")
