"""The segments that a dict or set is kept in: actors that make each write once, however often it comes.

A write carries a `Mark`, and what each writer was last answered is part of the segment's state, so that it goes with it
to another node: a message that is repeated gets the same answer, one that comes late undoes nothing. A writer makes its
writes to a segment one after the other. The steps of one write are made at one moment. So are setting a default,
popping and clearing a segment, among all who use it.

A state is saved before anything is answered or forgotten; of a large value only its name is in it, and what keeps the
value, `skyward_jupyter.collections.apart`, is told when nothing refers to it any more.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from casty import Context, Unavailable, actor
from casty import Write as Level
from casty.collections import Value

from skyward_jupyter.collections.apart import APART, Check, Drop
from skyward_jupyter.collections.cells import (
    BUCKETS,
    Answered,
    Cell,
    Clear,
    Default,
    Has,
    Kept,
    Look,
    Page,
    Put,
    Scan,
    SegmentMessage,
    SegmentState,
    Size,
    Step,
    Take,
    Write,
    place,
)
from skyward_jupyter.collections.rewriting import Rewrite, rewrite
from skyward_jupyter.collections.writer import made_before, remembered

#: Bytes after which a page is full.
_PAGE = 2**20


class _Segment:
    """One activation of a segment's key."""

    def __init__(self, ctx: Context[SegmentState, SegmentMessage], level: Level) -> None:
        self._ctx = ctx
        self._apart = APART[level]
        self._state = ctx.state.value
        self._codec = Value[Mapping[bytes, Cell]](Mapping[bytes, Cell], ctx.system)  # type: ignore[type-abstract]
        self._read: dict[str, Mapping[bytes, Cell]] = {}

    async def write(self, message: Write) -> None:
        """Make a write, and answer it."""
        before = made_before(self._state.made, message.mark)
        if before is not None:
            if before.number == message.mark.number:
                message.reply_to.tell(Kept(True, before.found))
            return  # or nobody waits for it any more
        draft = _Draft(self)
        for at, step in enumerate(message.steps):
            draft.take(at, step)
        enough = await self._keep(draft, message)
        message.reply_to.tell(Kept(enough, draft.found if enough else {}))

    def look(self, keys: tuple[bytes, ...]) -> dict[bytes, Cell]:
        """What keys have."""
        cells = ((key, self.bucket(place(key)[1]).get(key)) for key in keys)
        return {key: cell for key, cell in cells if cell is not None}

    def size(self) -> int:
        """How many keys there are."""
        return sum(len(self.bucket(name)) for name in BUCKETS)

    def scan(self, start: int, wanted: bool) -> Page:
        """A page of keys."""
        found: dict[bytes, Cell] = {}
        size = 0
        for at in range(start, len(BUCKETS)):
            cells = self.bucket(BUCKETS[at])
            found.update(cells if wanted else dict.fromkeys(cells, b""))
            size += len(getattr(self._state, BUCKETS[at]))
            if size >= _PAGE:
                return Page(found, at + 1)
        return Page(found, len(BUCKETS))

    def bucket(self, name: str) -> Mapping[bytes, Cell]:
        """What is in a bucket."""
        cells = self._read.get(name)
        if cells is None:
            raw: bytes = getattr(self._state, name)
            cells = self._read[name] = self._codec.load(raw) if raw else {}
        return cells

    async def _keep(self, draft: _Draft, message: Write) -> bool:
        """Save what a write makes of the state; whether enough copies have it."""
        changed: dict[str, Any] = {
            name: self._codec.dump(cells) if cells else b"" for name, cells in draft.buckets.items()
        }
        mark = message.mark
        made = remembered(self._state.made, Answered(mark.writer, mark.number, draft.found))
        state = replace(self._state, made=made, **changed)
        try:
            await self._ctx.state.set(state)
        except Unavailable:
            return False
        self._state = state
        self._read.update(draft.buckets)
        for name in draft.dropped:
            self._ctx.system.ref(self._apart, name).tell(Drop())
        for name in draft.given:
            self._ctx.system.ref(self._apart, name).tell(Check())
        return True


class _Draft:
    """What the steps of a write make of a segment, before it is saved.

    Attributes
    ----------
    buckets
        Those that change.
    found
        What the steps are answered.
    dropped, given
        What kept the values apart that nothing refers to any more, and those that whoever took them is yet to read.
    """

    def __init__(self, segment: _Segment) -> None:
        self.buckets: dict[str, dict[bytes, Cell]] = {}
        self.found: dict[int, Cell] = {}
        self.dropped: list[str] = []
        self.given: list[str] = []
        self._segment = segment

    def take(self, at: int, step: Step) -> None:
        """Take a step, the one at a place in its write."""
        match step:
            case Put(cells):
                for key, cell in cells.items():
                    self._set(place(key)[1], key, cell)
            case Default(key, cell):
                name = place(key)[1]
                if (there := self._get(name, key)) is None:
                    self._open(name)[key] = cell
                else:
                    self.found[at] = there
            case Take(key, wanted):
                self._remove(at, key, wanted)
            case Clear():
                for name in BUCKETS:
                    for cell in self._bucket(name).values():
                        self._drop(cell)
                    self.buckets[name] = {}

    def _set(self, name: str, key: bytes, cell: Cell) -> None:
        before = self._get(name, key)
        if before != cell:
            self._drop(before)
            self._open(name)[key] = cell

    def _remove(self, at: int, key: bytes, wanted: bool) -> None:
        name = place(key)[1]
        cell = self._get(name, key)
        if cell is None:
            return
        del self._open(name)[key]
        self.found[at] = cell if wanted else b""
        if not wanted:
            self._drop(cell)
        elif isinstance(cell, str):
            self.given.append(cell)

    def _get(self, name: str, key: bytes) -> Cell | None:
        return self._bucket(name).get(key)

    def _bucket(self, name: str) -> Mapping[bytes, Cell]:
        return self.buckets[name] if name in self.buckets else self._segment.bucket(name)

    def _open(self, name: str) -> dict[bytes, Cell]:
        if name not in self.buckets:
            self.buckets[name] = dict(self._segment.bucket(name))
        return self.buckets[name]

    def _drop(self, cell: Cell | None) -> None:
        if isinstance(cell, str):
            self.dropped.append(cell)


async def _serve(ctx: Context[SegmentState, SegmentMessage], level: Level) -> None:
    mine = _Segment(ctx, level)
    async for message in ctx.inbox:
        match message:
            case Write():
                await mine.write(message)
            case Look(keys):
                message.reply_to.tell(mine.look(keys))
            case Has(keys):
                message.reply_to.tell(tuple(mine.look(keys)))
            case Size():
                message.reply_to.tell(mine.size())
            case Scan(start, wanted):
                message.reply_to.tell(mine.scan(start, wanted))
            case Rewrite():
                message.reply_to.tell(await rewrite(ctx, SegmentState()))


@actor(initial=SegmentState(), write="majority")
async def strong_segment(ctx: Context[SegmentState, SegmentMessage]) -> None:
    """A segment of a strong dict or set."""
    await _serve(ctx, "majority")


@actor(initial=SegmentState(), write="one")
async def eventual_segment(ctx: Context[SegmentState, SegmentMessage]) -> None:
    """A segment of an eventual dict or set."""
    await _serve(ctx, "one")


SEGMENT: Mapping[Level, Any] = {"majority": strong_segment, "one": eventual_segment}
