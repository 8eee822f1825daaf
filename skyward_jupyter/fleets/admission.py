"""Who may join a cluster now: only so many nodes at a time.

Every member hears of every one that joins, so a hundred that join at once leave a machine no time for heartbeats: they
take each other for dead, are replaced, and join again. Those that wait their turn are all there sooner.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

#: How many join at a time, and how long one that does not get there keeps the others waiting (seconds).
AT_ONCE = 12
WITHIN = 10.0


class Admission:
    """The door of one cluster. Everything is called on the runtime's loop."""

    def __init__(self) -> None:
        self._joining: dict[int, asyncio.TimerHandle] = {}
        self._waiting: dict[int, Callable[[], None]] = {}

    def ask(self, rank: int, go: Callable[[], None]) -> None:
        """Call `go`, which has a node join, now or when it is its turn; what was asked for this rank before is off."""
        self.leave(rank)
        self._waiting[rank] = go
        self._admit()

    async def turn(self, rank: int) -> None:
        """Wait until a node may join."""
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def go() -> None:
            if not turn.done():
                turn.set_result(None)

        self.ask(rank, go)
        try:
            await turn
        except BaseException:
            self.leave(rank)
            raise

    def leave(self, rank: int) -> bool:
        """A node has joined, or does not any more; returns whether its turn had not come."""
        if (timer := self._joining.pop(rank, None)) is not None:
            timer.cancel()
        waited = self._waiting.pop(rank, None) is not None
        self._admit()
        return waited

    def close(self) -> tuple[int, ...]:
        """None of those who asked joins any more; returns those whose turn had not come."""
        waited = tuple(self._waiting)
        self._waiting.clear()
        for rank in tuple(self._joining):
            self.leave(rank)
        return waited

    def _admit(self) -> None:
        while self._waiting and len(self._joining) < AT_ONCE:
            rank = next(iter(self._waiting))
            go = self._waiting.pop(rank)
            self._joining[rank] = asyncio.get_running_loop().call_later(WITHIN, self.leave, rank)
            go()
