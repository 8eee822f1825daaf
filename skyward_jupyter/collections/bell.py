"""The bell of a queue: an actor that those who wait for items wait at, first come, first woken.

It keeps nothing: with its node those who wait at it are forgotten, look at the queue themselves, and come again.
"""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass
from datetime import timedelta

from casty import Askable, Context, Ref, actor

from skyward_jupyter.collections.asking import Done

_WAIT = timedelta(minutes=5)


@dataclass(frozen=True)
class Wait(Askable[int]):
    """Wake me; answered with how often it has rung, at once when that is not `heard` times.

    Attributes
    ----------
    waited
        For how many seconds this one has waited: the one who has longest is woken first.
    """

    waiter: str
    waited: float
    heard: int


@dataclass(frozen=True)
class Ring:
    """So many items have come."""

    times: int


type BellMessage = Wait | Ring | Done


@actor(initial=0, replicas=1, ask_timeout=_WAIT)
async def bell(ctx: Context[int, BellMessage]) -> None:
    """Wakes one waiter for each item."""
    rung = secrets.randbits(62)  # unlike any number of the bell that was here before
    waiting: dict[str, tuple[float, Ref[int]]] = {}
    async for message in ctx.inbox:
        match message:
            case Wait(waiter, waited, heard) if heard == rung:
                came, _ = waiting.get(waiter, (time.monotonic() - waited, None))
                waiting[waiter] = came, message.reply_to
            case Wait():
                message.reply_to.tell(rung)
            case Ring(times):
                for _ in range(times):
                    rung += 1
                    if waiting:
                        first = min(waiting, key=lambda waiter: waiting[waiter][0])
                        waiting.pop(first)[1].tell(rung)
            case Done(waiter):
                waiting.pop(waiter, None)
