"""Asking a node until it answers: it may not be there yet, and an answer may be lost with the connection it came by."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import casty

#: Seconds between two questions to a node that nobody reaches, at first and at most, and that one may take to answer.
PAUSE, PAUSES, WITHIN = 0.01, 0.25, 10.0
#: Seconds without an answer after which it is asked no more.
PATIENCE = 120.0


async def answered[T](
    ask: Callable[[], Awaitable[T]], again: Callable[[], object], counts: Callable[[], bool] = lambda: True
) -> T:
    """Ask until there is an answer.

    Parameters
    ----------
    ask
        Asks once. What it asks for must be harmless when it is asked for twice.
    again
        Called each time that no answer came although the question was sent.
    counts
        Says whether it is to blame for having given no answer.

    Raises
    ------
    TimeoutError
        There was none for long.
    """
    clock = asyncio.get_running_loop().time
    pause, waited = PAUSE, 0.0
    while waited < PATIENCE:
        began = clock()
        try:
            async with asyncio.timeout(WITHIN):
                return await ask()
        except casty.Unavailable:
            await asyncio.sleep(pause)
            pause = min(2 * pause, PAUSES)
        except TimeoutError:
            again()
        if counts():
            waited += min(clock() - began, WITHIN)  # whoever asks may have stood still itself
    raise TimeoutError(f"it did not answer for {PATIENCE:g} seconds")
