"""The entries of dicts and sets: actors that make a write once, however often it comes.

casty's own entry sets a value whenever it is told to, so a message that is repeated, or comes late, undoes what others
wrote meanwhile. This one takes its place in casty's dict and index: it understands what that asks an entry for, and has
writes of its own, which carry a `Mark`. What it was last told by each writer is part of its state.

A key that was removed keeps its marks until it was left alone for `QUIET` seconds, which is longer than a write may be
repeated. Setting a default and popping are decided by the entry, so among all who use the key.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, cast

from casty import Askable, Context, Ref, Unavailable, Write, actor
from casty.collections import Dict, entry

from skyward_jupyter.collections.rewriting import Rewrite, rewrite
from skyward_jupyter.collections.writer import WRITERS, Made, Mark, made_before, remembered

#: Seconds without a message after which an entry rests, and one without a value is forgotten.
QUIET = 60.0
#: What is answered when too few copies took a write.
_NOT_KEPT = -1


@dataclass(frozen=True)
class Given:
    """The value that a writer popped last, until it has surely heard it."""

    writer: bytes
    value: bytes


@dataclass(frozen=True)
class EntryState:
    """An entry.

    Attributes
    ----------
    generation
        What casty's index lists the key under, higher each time the key comes anew; 0 before the first time.
    made, given
        The last write of each writer, and what it popped.
    """

    value: bytes | None = None
    generation: int = 0
    made: tuple[Made, ...] = ()
    given: tuple[Given, ...] = ()


@dataclass(frozen=True)
class Put(Askable[tuple[int, bytes | None]]):
    """Set the value; with `absent`, only when there is none.

    Answered with the generation to list the key under, which is to be sent again as `listed`, and 0 once it is done;
    and with the value that was there instead.
    """

    value: bytes
    listed: int
    absent: bool
    mark: Mark


@dataclass(frozen=True)
class Take(Askable[tuple[bool, int, bytes | None]]):
    """Remove the value. Answered with whether there was one, the generation to unlist, and the value if `wanted`."""

    wanted: bool
    mark: Mark


type EntryMessage = Put | Take | Rewrite | entry.Get | entry.Contains | entry.Retire


class _Entry:
    """What an activation of an entry works with."""

    def __init__(self, ctx: Context[EntryState, EntryMessage]) -> None:
        self._ctx = ctx
        # As casty's own: newer than what the key was listed under when it was there before.
        self._generation = ctx.state.value.generation or time.time_ns() // 1000
        #: Writes that changed nothing, with their answers.
        self._idle: dict[bytes, tuple[int, Any]] = {}
        self._given_at: dict[bytes, float] = {}

    @property
    def value(self) -> bytes | None:
        """The value, if there is one."""
        return self._ctx.state.value.value

    def retire(self, listed: int) -> int:
        """Be listed under a newer generation than `listed` next time."""
        if self.value is not None:
            return 0
        self._generation = max(self._generation, listed)
        return self._generation

    async def put(self, message: Put) -> None:
        """Set the value."""
        mark, value, state = message.mark, self.value, self._ctx.state.value
        before = made_before(state.made, mark)
        if before is not None or self._answered(message):
            if before is not None and before.number == mark.number:
                message.reply_to.tell((0, None))
            return
        if message.absent and value is not None:
            self._unchanged(message, (0, value))
        elif value is None and message.listed != self._generation + 1:
            message.reply_to.tell((self._generation + 1, None))
        else:
            generation = self._generation + (value is None)
            kept = await self._keep(replace(state, value=message.value, generation=generation), mark)
            message.reply_to.tell((0 if kept else _NOT_KEPT, None))

    async def take(self, message: Take) -> None:
        """Remove the value."""
        mark, value, state = message.mark, self.value, self._ctx.state.value
        before = made_before(state.made, mark)
        if before is not None or self._answered(message):
            if before is not None and before.number == mark.number:
                told = next((one.value for one in state.given if one.writer == mark.writer), None)
                message.reply_to.tell((True, before.about, told))
            return
        if value is None:
            self._unchanged(message, (False, self._generation, None))
            return
        generation, given = self._generation, value if message.wanted else None
        if await self._keep(replace(state, value=None, generation=generation), mark, given):
            message.reply_to.tell((True, generation, given))
        else:
            message.reply_to.tell((True, _NOT_KEPT, None))

    async def forget(self) -> None:
        """Keep nothing of a key that is not there."""
        if self.value is None:
            with contextlib.suppress(Unavailable):
                await self._ctx.state.delete()

    async def _keep(self, state: EntryState, mark: Mark, given: bytes | None = None) -> bool:
        """Save a state that a write has made; whether enough copies have it."""
        now = asyncio.get_running_loop().time()
        kept = tuple(
            one
            for one in state.given
            if one.writer != mark.writer and now - self._given_at.setdefault(one.writer, now) < QUIET
        )
        if given is not None:
            kept, self._given_at[mark.writer] = (*kept, Given(mark.writer, given)), now
        made = remembered(state.made, mark, state.generation)
        try:
            await self._ctx.state.set(replace(state, made=made, given=kept))
        except Unavailable:
            return False
        self._generation = state.generation
        return True

    def _unchanged(self, message: Put | Take, answer: Any) -> None:
        self._idle.pop(message.mark.writer, None)
        self._idle[message.mark.writer] = message.mark.number, answer
        if len(self._idle) > WRITERS:
            del self._idle[next(iter(self._idle))]
        message.reply_to.tell(answer)

    def _answered(self, message: Put | Take) -> bool:
        """Whether this was answered before, and has been again now."""
        number, answer = self._idle.get(message.mark.writer, (0, None))
        if number == message.mark.number:
            message.reply_to.tell(answer)
        return number >= message.mark.number


async def _serve(ctx: Context[EntryState, EntryMessage]) -> None:
    mine, heard = _Entry(ctx), time.monotonic()
    async for message in ctx.inbox:
        heard = time.monotonic()
        match message:
            case Put():
                await mine.put(message)
            case Take():
                await mine.take(message)
            case Rewrite():
                message.reply_to.tell(await rewrite(ctx, EntryState()))
            case entry.Get():
                message.reply_to.tell(mine.value)
            case entry.Contains():
                message.reply_to.tell(mine.value is not None)
            case entry.Retire(listed):
                message.reply_to.tell(mine.retire(listed))
    if time.monotonic() - heard >= QUIET - 1:  # and was not just let go of
        await mine.forget()


@actor(initial=EntryState(), write="majority", idle_after=timedelta(seconds=QUIET))
async def strong_entry(ctx: Context[EntryState, EntryMessage]) -> None:
    """An entry of a strong dict or set."""
    await _serve(ctx)


@actor(initial=EntryState(), write="one", idle_after=timedelta(seconds=QUIET))
async def eventual_entry(ctx: Context[EntryState, EntryMessage]) -> None:
    """An entry of an eventual dict or set."""
    await _serve(ctx)


_ACTORS: Mapping[Write, Any] = {"majority": strong_entry, "one": eventual_entry}


class Entries(Dict[bytes, bytes]):
    """casty's dict, with these entries: what it reads it reads as ever, its writes are those that are here."""

    def __init__(self, made: Dict[bytes, bytes]) -> None:
        super().__init__(made._binding, bytes, bytes)

    async def write(self, key: bytes, value: bytes, mark: Mark, *, absent: bool = False) -> bytes | None:
        """Set the value of a key; with `absent`, only when it has none, and else give the one that it has."""
        await self._binding.ready()
        raw, data = self._key.dump(key), self._value.dump(value)
        ref, listed = self._marked(raw), 0
        while True:
            listed, there = await ref.ask(Put(data, listed, absent, mark))
            if _kept(listed) == 0:
                return None if there is None else self._value.load(there)
            if not await self._index.list_under(raw, listed):
                # A life of the key on a node whose clock ran ahead listed it later: the entry goes past that one.
                await ref.ask(entry.Retire(self._under(await self._index.get(raw))))
                listed = 0

    async def take(self, key: bytes, mark: Mark, *, wanted: bool = False) -> tuple[bool, bytes | None]:
        """Remove a key; whether it was there, and its value if that is wanted."""
        await self._binding.ready()
        raw = self._key.dump(key)
        removed, listed, value = await self._marked(raw).ask(Take(wanted, mark))
        await self._unlist(raw, _kept(listed))
        return removed, None if value is None else self._value.load(value)

    def _marked(self, raw: bytes) -> Ref[EntryMessage]:
        binding = self._binding
        return cast(Ref[EntryMessage], binding.system.ref(_ACTORS[binding.write], binding._key(f"key:{raw.hex()}")))

    def _entry(self, raw: bytes) -> Any:
        return self._marked(raw)


def _kept(listed: int) -> int:
    if listed == _NOT_KEPT:
        raise Unavailable("too few copies took it")
    return listed
