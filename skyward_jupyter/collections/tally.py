"""The number that a counter is: an actor that counts each addition once, however often it comes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from casty import Askable, Context, Unavailable, Write, actor

from skyward_jupyter.collections.rewriting import Rewrite, rewrite
from skyward_jupyter.collections.writer import Mark, made_before, remembered


@dataclass(frozen=True)
class TallyState:
    """A number, and the last write of each writer."""

    value: int = 0
    made: tuple[Mark, ...] = ()


@dataclass(frozen=True)
class Count(Askable[bool]):
    """Add to the number, or have it start over. Answered with whether enough copies took it."""

    delta: int
    over: bool
    mark: Mark


@dataclass(frozen=True)
class Read(Askable[int]):
    """What does it stand at?"""


type TallyMessage = Count | Read | Rewrite


async def _serve(ctx: Context[TallyState, TallyMessage]) -> None:
    async for message in ctx.inbox:
        match message:
            case Count():
                await _count(ctx, message)
            case Read():
                message.reply_to.tell(ctx.state.value.value)
            case Rewrite():
                message.reply_to.tell(await rewrite(ctx, TallyState()))


async def _count(ctx: Context[TallyState, TallyMessage], message: Count) -> None:
    state = ctx.state.value
    before = made_before(state.made, message.mark)
    if before is None:
        value = message.delta + (0 if message.over else state.value)
        made = remembered(state.made, message.mark)
        try:
            await ctx.state.set(TallyState(value, made))
        except Unavailable:
            message.reply_to.tell(False)
            return
    elif before.number > message.mark.number:
        return  # nobody waits for it any more
    message.reply_to.tell(True)


@actor(initial=TallyState(), write="majority")
async def strong_tally(ctx: Context[TallyState, TallyMessage]) -> None:
    """The number of a strong counter."""
    await _serve(ctx)


@actor(initial=TallyState(), write="one")
async def eventual_tally(ctx: Context[TallyState, TallyMessage]) -> None:
    """The number of an eventual counter."""
    await _serve(ctx)


TALLIES: Mapping[Write, Any] = {"majority": strong_tally, "one": eventual_tally}
