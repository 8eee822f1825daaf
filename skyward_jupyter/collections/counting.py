"""Counters."""

from __future__ import annotations

from casty.collections import Counter

from skyward_jupyter.collections.address import Address
from skyward_jupyter.collections.served import Room, Served, again, level


class ServedCounter(Served):
    """A counter. An addition is never made twice by itself: one whose answer is lost raises, and may have counted."""

    calls = frozenset({"add", "get", "reset"})

    def __init__(self, room: Room, address: Address) -> None:
        super().__init__(room, address)
        self._counter: Counter = room.collections.counter(address.name, write=level(address.consistency))

    async def begin(self) -> None:
        """Be ready for the first call."""
        await self.get()

    async def add(self, delta: int) -> None:
        """Count up, or down."""
        await self._counter.add(delta)
        self.changed()

    async def get(self) -> int:
        """Where it stands."""
        return await again(self._counter.get)

    async def reset(self) -> None:
        """Set it to zero."""
        await again(self._counter.reset)
        self.changed()
