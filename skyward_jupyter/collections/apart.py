"""Large values of dicts, each kept apart from its key, which has its name: an actor for each, written once.

A value is stored before a segment refers to it, and dropped once none does. One that is left over, because whoever
stored or took it is gone, asks its segment when it was left alone for `QUIET` seconds, and goes.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from casty import ActorFailed, Askable, Context, Ref, Unavailable, Write, actor

from skyward_jupyter.collections.cells import Look, SegmentMessage
from skyward_jupyter.collections.rewriting import Rewrite, rewrite

#: Bytes up to which a value is kept with its key.
WITH_KEY = 1024
#: Seconds without a message after which a value looks whether it is still referred to: longer than a write may take
#: to refer to it.
QUIET = 60.0
_ANSWER_WITHIN = 10.0


@dataclass(frozen=True)
class ApartState:
    """A value, the key that it was stored for and the segment that has it; no value before that, or once dropped."""

    value: bytes | None = None
    key: bytes = b""
    segment: Ref[SegmentMessage] | None = None


@dataclass(frozen=True)
class Store(Askable[bool]):
    """Keep a value of a key of a segment. Answered with whether enough copies do; does no harm when it comes twice."""

    value: bytes
    key: bytes
    segment: Ref[SegmentMessage]


@dataclass(frozen=True)
class Load(Askable[bytes | None]):
    """What is the value? None when it was dropped."""


@dataclass(frozen=True)
class Drop:
    """Nothing refers to it any more."""


@dataclass(frozen=True)
class Check:
    """Soon nothing may refer to it any more: look, once it is left alone."""


type ApartMessage = Store | Load | Drop | Check | Rewrite


async def _serve(ctx: Context[ApartState, ApartMessage]) -> None:
    heard = time.monotonic()
    async for message in ctx.inbox:
        heard = time.monotonic()
        match message:
            case Store(value, key, segment):
                message.reply_to.tell(await _stored(ctx, ApartState(value, key, segment)))
            case Load():
                message.reply_to.tell(ctx.state.value.value)
            case Drop():
                if await _drop(ctx):
                    return
            case Rewrite():
                message.reply_to.tell(await rewrite(ctx, ApartState()))
            case Check():
                pass
    if time.monotonic() - heard >= QUIET - 1 and await _is_left_over(ctx):  # and was not just let go of
        await _drop(ctx)


async def _stored(ctx: Context[ApartState, ApartMessage], state: ApartState) -> bool:
    try:
        await ctx.state.set(state)
    except Unavailable:
        return False
    return True


async def _drop(ctx: Context[ApartState, ApartMessage]) -> bool:
    """Keep the value no more; whether enough copies are gone. What is not is found when it was left alone."""
    try:
        await ctx.state.delete()
    except Unavailable:
        return False
    return True


async def _is_left_over(ctx: Context[ApartState, ApartMessage]) -> bool:
    kept = ctx.state.value
    if kept.segment is None:
        return False
    with contextlib.suppress(Unavailable, ActorFailed, TimeoutError):
        async with asyncio.timeout(_ANSWER_WITHIN):
            found = await kept.segment.ask(Look((kept.key,)))
            return found.get(kept.key) != ctx.key
    return False


@actor(initial=ApartState(), write="majority", idle_after=timedelta(seconds=QUIET))
async def strong_apart(ctx: Context[ApartState, ApartMessage]) -> None:
    """A large value of a strong dict."""
    await _serve(ctx)


@actor(initial=ApartState(), write="one", idle_after=timedelta(seconds=QUIET))
async def eventual_apart(ctx: Context[ApartState, ApartMessage]) -> None:
    """A large value of an eventual dict."""
    await _serve(ctx)


APART: Mapping[Write, Any] = {"majority": strong_apart, "one": eventual_apart}
