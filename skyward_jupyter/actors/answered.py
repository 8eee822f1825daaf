"""Asking a node until it answers: it may not be there yet, and an answer may be lost with the connection it came by."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import casty

#: Seconds between two questions to a node that nobody reaches, and that one which has one may take to answer.
PAUSE, WITHIN = 0.01, 10.0


async def answered[T](ask: Callable[[], Awaitable[T]], again: Callable[[], object]) -> T:
    """Ask until there is an answer, for ever; to cancel this ends it.

    Parameters
    ----------
    ask
        Asks once. What it asks for must be harmless when it is asked for twice.
    again
        Called each time that no answer came although the question was sent.
    """
    while True:
        try:
            async with asyncio.timeout(WITHIN):
                return await ask()
        except casty.Unavailable:
            await asyncio.sleep(PAUSE)
        except TimeoutError:
            again()
