"""Asking an actor that may be lost: it is asked again, and what it was asked before is never called back.

casty tells an actor when nobody waits for an answer any more, and begins its body anew if that was just at the
question: an actor that has in its memory who waits would forget them all.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any, Protocol

from casty import Unavailable

from skyward_jupyter.tasks import promise

#: Seconds after which somebody who waits asks again.
BEAT = 2.0
_PAUSE = 0.1


@dataclass(frozen=True)
class Done:
    """The one of this name waits no more, or knows what it was told."""

    name: str


class Owner(Protocol):
    """Has work done beside everything else, to its end."""

    def own(self, work: Coroutine[Any, Any, Any]) -> None:
        """Begin it."""
        ...


async def answer[T](owner: Owner, question: Coroutine[Any, Any, T], within: float = BEAT) -> T | None:
    """What is answered; None when nothing is in time, or nobody can be reached."""
    asking = promise(question)
    owner.own(_ended(asking))
    await asyncio.wait([asking], timeout=within)
    if not asking.done():
        return None
    try:
        return asking.result()
    except (TimeoutError, Unavailable):
        await asyncio.sleep(min(_PAUSE, within))
        return None


async def _ended(asking: asyncio.Future[Any]) -> None:
    """Wait until it has ended, however: whoever still waits hears it, nobody else minds."""
    await asyncio.wait([asking])
