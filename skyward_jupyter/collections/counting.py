"""Counters: each addition counts once, also one that is asked for again: see `skyward_jupyter.collections.tally`."""

from __future__ import annotations

from collections.abc import Mapping

from casty import Ref, Unavailable

from skyward_jupyter.collections.address import Address
from skyward_jupyter.collections.again import again
from skyward_jupyter.collections.lane import ALONE, Lane
from skyward_jupyter.collections.served import Linked, Room, Served, level
from skyward_jupyter.collections.tally import TALLIES, Count, Read, TallyMessage
from skyward_jupyter.collections.writer import Mark

#: Numbers below this are added up before they are counted: as many as go together are less than there is room for.
_SMALL = 2**40


class ServedCounter(Served):
    """A counter."""

    calls = frozenset({"add", "get", "reset"})

    def __init__(self, room: Room, address: Address) -> None:
        super().__init__(room, address)
        self._tally = Linked(room.reach, self._made)
        self._lane: Lane[tuple[int, bool], None] = Lane(room, self._count)

    def _made(self) -> Ref[TallyMessage]:
        ref: Ref[TallyMessage] = self.room.system.ref(TALLIES[level(self.address.consistency)], self.address.name)
        return ref

    async def begin(self) -> None:
        """Be ready for the first call."""
        await self.get()

    async def add(self, delta: int) -> None:
        """Count up, or down."""
        await self._write(delta, over=False)

    async def get(self) -> int:
        """Where it stands."""
        return await again(lambda: self._tally().ask(Read()))

    async def reset(self, value: int = 0) -> None:
        """Set it to `value`."""
        await self._write(value, over=True)

    async def _write(self, delta: int, *, over: bool) -> None:
        await self._lane.write((delta, over), 0 if abs(delta) < _SMALL else ALONE)
        self.changed()

    async def _count(self, steps: tuple[tuple[int, bool], ...], mark: Mark) -> Mapping[int, None]:
        total, anew = 0, False
        for delta, over in steps:
            total, anew = (delta, True) if over else (total + delta, anew)
        if not await self._tally().ask(Count(total, anew, mark)):
            raise Unavailable("too few copies took it")
        return {}
