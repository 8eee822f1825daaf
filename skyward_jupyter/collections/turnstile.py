"""The turnstile of a barrier: an actor that lets as many through as it takes, together.

Whom it let through is known to three nodes before any of them hears it, until they say that they have. Who waits only
the turnstile knows, from what those who wait say every few seconds; after the loss of its node they say it to the next
one. Whoever is silent for `SILENT` seconds does not count any more; at once, when its node is known to be gone.

Clocks of machines are not compared: each turnstile goes by its own.
"""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass
from datetime import timedelta

from casty import Askable, Context, Ref, Unavailable, actor

from skyward_jupyter.collections.asking import Done
from skyward_jupyter.collections.places import Places
from skyward_jupyter.collections.rewriting import Rewrite, rewrite

#: Seconds for which somebody counts as having come who was lost since.
SILENT = 8.0
#: Seconds for which those are known who were let through and never said that they heard it.
_KNOWN = 60.0
_PATIENCE = timedelta(seconds=30)


@dataclass(frozen=True)
class Passed:
    """Who was let through and has not said yet that they know."""

    names: tuple[str, ...] = ()


@dataclass(frozen=True)
class Come(Askable[bool]):
    """I am here, and wait for others to be `parties` in all; answered with whether I am through, or am to ask again.

    Attributes
    ----------
    life
        The member of the cluster that asks, by its incarnation.
    """

    name: str
    life: str
    parties: int


@dataclass(frozen=True)
class Go(Askable[bool]):
    """I do not wait any more; answered with whether I was let through."""

    name: str


type TurnstileMessage = Come | Go | Done | Rewrite


class _Turnstile:
    """One activation of a barrier's key."""

    def __init__(self, ctx: Context[Passed, TurnstileMessage]) -> None:
        self._ctx = ctx
        self._places: Places[Ref[bool]] = Places(SILENT)
        now = time.monotonic()
        self._passed = dict.fromkeys(ctx.state.value.names, now)

    async def take(self, message: TurnstileMessage) -> None:
        """Answer a message."""
        match message:
            case Come(name) if name in self._passed:
                message.reply_to.tell(True)
            case Come(name) if self._places.left(name):
                message.reply_to.tell(False)
            case Come(name, life, parties):
                now = time.monotonic()
                before = self._places.come(name, life, now, now, message.reply_to)
                if before is not None:
                    before.tell(False)
                await self._open(parties)
            case Go(name):
                self._places.leave(name, time.monotonic())
                message.reply_to.tell(self._passed.pop(name, None) is not None)
            case Done(name):
                self._passed.pop(name, None)
            case Rewrite():
                message.reply_to.tell(await rewrite(self._ctx, Passed()))

    async def _open(self, parties: int) -> None:
        """Let those through who wait, if they are as many as it takes."""
        now = time.monotonic()
        through = self._places.there(now)[:parties]
        if len(through) < parties:
            return
        known = {name: at for name, at in self._passed.items() if now - at <= _KNOWN}
        passed = {**known, **dict.fromkeys((one.name for one in through), now)}
        await self._ctx.state.set(Passed(tuple(passed)))
        self._passed = passed
        for one in through:
            self._places.take(one.name)
            one.answer.tell(True)


@actor(initial=Passed(), ask_timeout=_PATIENCE)
async def turnstile(ctx: Context[Passed, TurnstileMessage]) -> None:
    """Keep one barrier. What cannot be confirmed is not answered, and whoever asked asks again."""
    made = _Turnstile(ctx)
    async for message in ctx.inbox:
        with contextlib.suppress(Unavailable):
            await made.take(message)
