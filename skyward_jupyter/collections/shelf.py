"""The large values of a dict, as this process stores and reads what is kept apart from its key."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from uuid import uuid4

from casty import Ref, Unavailable

from skyward_jupyter.collections.address import Address
from skyward_jupyter.collections.again import again, each
from skyward_jupyter.collections.apart import APART, WITH_KEY, ApartMessage, Drop, Load, Store
from skyward_jupyter.collections.cells import Cell, SegmentMessage
from skyward_jupyter.collections.served import Room, level


class Shelf:
    """The large values of one dict.

    Parameters
    ----------
    segment
        Gives the segment of a key.
    """

    def __init__(self, room: Room, address: Address, segment: Callable[[bytes], Ref[SegmentMessage]]) -> None:
        self._room = room
        self._name = address.name
        self._level = level(address.consistency)
        self._segment = segment

    async def cells(self, pairs: Mapping[bytes, bytes]) -> dict[bytes, Cell]:
        """What keys get in place of these values: those that are not large are it themselves, the others are stored."""
        cells: dict[bytes, Cell] = {**pairs}
        large = [key for key, value in pairs.items() if len(value) > WITH_KEY]
        for key in large:
            cells[key] = f"{self._name}/{uuid4().hex}"
        await self.store(pairs, cells)
        return cells

    async def store(self, pairs: Mapping[bytes, bytes], cells: Mapping[bytes, Cell]) -> None:
        """Store those of the values that are kept apart, once more if they are stored."""

        async def stored(pair: tuple[bytes, str]) -> None:
            key, name = pair
            await again(lambda: self._ask(name, Store(pairs[key], key, self._segment(key))))

        await each(stored, [(key, cell) for key, cell in cells.items() if isinstance(cell, str)])

    async def load(self, name: str) -> bytes | None:
        """A value; None when it was dropped."""
        return await again(lambda: self._apart(name).ask(Load()))

    def drop(self, cell: Cell | None) -> None:
        """Nothing refers to what keeps a value apart any more."""
        if isinstance(cell, str):
            self._apart(cell).tell(Drop())

    async def _ask(self, name: str, store: Store) -> None:
        if not await self._apart(name).ask(store):
            raise Unavailable("too few copies took it")

    def _apart(self, name: str) -> Ref[ApartMessage]:
        ref: Ref[ApartMessage] = self._room.system.ref(APART[self._level], name)
        return ref
