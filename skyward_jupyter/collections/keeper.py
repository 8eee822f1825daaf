"""The keeper of a lock: an actor that gives it to one after the other, in the order in which they came.

Who has the lock is known to three nodes, and whatever a holder is told two of them confirmed first: a keeper that the
others took for lost gives and renews nothing any more. Who waits only the keeper knows, from what those who wait say
every few seconds; after the loss of its node they say it to the next one, with how long they have waited.

Whoever is silent for `TTL` seconds has lost the lock, or its place; at once, when its node is known to be gone. The
silence counts from the last word of each, also of one that was given the lock since: those that went with one node are
out of the way together, however many they are.

Clocks of machines are not compared: each keeper goes by its own, and only ages travel.
"""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass, replace
from datetime import timedelta
from time import monotonic

from casty import Askable, Context, Ref, Unavailable, actor

from skyward_jupyter.collections.departed import departed
from skyward_jupyter.collections.places import Places, Waiting
from skyward_jupyter.collections.rewriting import Rewrite, rewrite

#: Seconds of silence after which somebody has lost the lock, or the place in the line.
TTL = 8.0
#: What is answered to somebody who waits and is to ask again, and to somebody who does not get the lock.
WAIT, REFUSED = 0, -1
_TICK = 1.0
#: Seconds by which the silence of a holder has grown when it is written down, so that the next keeper knows of it.
_NOTED = 3.0
#: Seconds without a look after which the keeper's process stood still.
_STOOD_STILL = 2.5
_PATIENCE = timedelta(seconds=30)


@dataclass(frozen=True)
class Kept:
    """Who has the lock.

    Attributes
    ----------
    holder, life
        The request that it was given to, and the member of the cluster that asked; empty while it is free.
    token
        How often it was given away.
    silence
        For how long the holder had said nothing, when that was last written down (seconds).
    beat
        Changes with everything that is confirmed.
    """

    holder: str = ""
    life: str = ""
    token: int = 0
    silence: float = 0.0
    beat: int = 0


@dataclass(frozen=True)
class Want(Askable[int]):
    """Give me the lock; answered with the token, `WAIT` or `REFUSED`. Asked again, the place in the line is kept.

    Attributes
    ----------
    life
        The member of the cluster that asks, by its incarnation.
    waited
        For how many seconds it has been waited for.
    once
        Not to wait.
    """

    request: str
    life: str
    waited: float
    once: bool = False


@dataclass(frozen=True)
class Renew(Askable[bool]):
    """I am still there; answered with whether the lock is still mine."""

    request: str


@dataclass(frozen=True)
class Release(Askable[bool]):
    """I have done with the lock, or do not want it any more; answered with whether it was mine."""

    request: str


@dataclass(frozen=True)
class Tick:
    """A second has passed."""

    number: int


type KeeperMessage = Want | Renew | Release | Rewrite | Tick


class _Keeper:
    """One activation of a lock's key."""

    def __init__(self, ctx: Context[Kept, KeeperMessage]) -> None:
        self._ctx = ctx
        self._places: Places[Ref[int]] = Places(TTL)
        self._heard = monotonic() - ctx.state.value.silence
        self._looked = monotonic()
        self._ticks = 0
        self._ticking = False

    async def take(self, message: KeeperMessage) -> None:
        """Answer a message."""
        self._excuse()
        kept = self._ctx.state.value
        match message:
            case Want(request) if request == kept.holder:
                await self._confirm()
                message.reply_to.tell(kept.token)
            case Want(request) if self._places.left(request):
                message.reply_to.tell(REFUSED)
            case Want():
                await self._wait(message)
            case Renew(request):
                if request == kept.holder:
                    await self._confirm()
                message.reply_to.tell(request == kept.holder)
            case Release(request):
                await self._release(request, message.reply_to)
            case Rewrite():
                message.reply_to.tell(await rewrite(self._ctx, Kept()))
            case Tick(number) if number == self._ticks:
                self._ticking = False
                await self._note_silence()
                await self._give()

    def keep_ticking(self) -> None:
        """Look again in a second, while somebody has the lock or waits for it."""
        if not self._ticking and (self._ctx.state.value.holder or self._places):
            self._ticking = True
            self._ticks += 1
            tick = Tick(self._ticks)
            self._ctx.to_self(asyncio.sleep(_TICK), lambda _: tick)

    def _excuse(self) -> None:
        """Take nobody for silent while this process stood still: it would have looked."""
        now = monotonic()
        if self._ticking and now - self._looked > _STOOD_STILL:
            self._places.excuse(now - self._looked)
            self._heard += now - self._looked
        self._looked = now

    async def _wait(self, message: Want) -> None:
        now = monotonic()
        before = self._places.come(message.request, message.life, now - message.waited, now, message.reply_to)
        if before is not None:
            before.tell(WAIT)
        await self._give()
        if message.once and self._places.leave(message.request, now):
            message.reply_to.tell(REFUSED)

    async def _release(self, request: str, reply_to: Ref[bool]) -> None:
        self._places.leave(request, monotonic())
        kept = self._ctx.state.value
        if request != kept.holder:
            reply_to.tell(False)
        elif there := self._places.there(monotonic()):
            await self._hand_to(there[0])
            reply_to.tell(True)
        else:
            await self._write(replace(kept, holder="", life="", silence=0.0))
            reply_to.tell(True)

    async def _give(self) -> None:
        """Give the lock to the first who waits, if nobody has it."""
        kept, now = self._ctx.state.value, monotonic()
        if kept.holder and now - self._heard <= TTL and not departed(kept.life):
            return
        if there := self._places.there(now):
            await self._hand_to(there[0])

    async def _hand_to(self, first: Waiting[Ref[int]]) -> None:
        """Give the lock to one who waits, in the same write by which whoever has it loses it."""
        kept = self._ctx.state.value
        await self._write(Kept(first.name, first.life, kept.token + 1, beat=kept.beat))
        self._heard = first.heard
        self._places.take(first.name)
        first.answer.tell(kept.token + 1)

    async def _confirm(self) -> None:
        """The holder was heard."""
        now = monotonic()
        await self._write(replace(self._ctx.state.value, silence=0.0))
        self._heard = now

    async def _note_silence(self) -> None:
        kept, silence = self._ctx.state.value, monotonic() - self._heard
        if kept.holder and silence > kept.silence + _NOTED:
            await self._write(replace(kept, silence=silence))

    async def _write(self, kept: Kept) -> None:
        await self._ctx.state.set(replace(kept, beat=kept.beat + 1))


@actor(initial=Kept(), ask_timeout=_PATIENCE)
async def keeper(ctx: Context[Kept, KeeperMessage]) -> None:
    """Keep one lock. What cannot be confirmed is not answered, and whoever asked asks again."""
    made = _Keeper(ctx)
    async for message in ctx.inbox:
        with contextlib.suppress(Unavailable):
            await made.take(message)
        made.keep_ticking()
