"""What is shown of a queue, a counter, a barrier and a lock: how they stand now, and how some of them stood lately.

They are read as a whole whenever something changed, and every few seconds besides: whoever is lost while waiting is not
heard to leave.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from skyward_jupyter.api.viewing.short import of_value
from skyward_jupyter.api.viewing.table import Body, Windows
from skyward_jupyter.collections.address import Who
from skyward_jupyter.collections.watch import Changes, Watch

#: Seconds after which they are read again unasked.
AGAIN = 3.0
#: The most people that are listed.
LISTED = 64
#: Seconds that a curve goes back, and how fine it is.
BACK, FINE = 60.0, 0.25


class Curve:
    """A number in the last minute: when it changed, and to what."""

    def __init__(self) -> None:
        self._points: deque[tuple[float, float | None]] = deque()

    def add(self, value: float | None) -> None:
        """It is this now; None when it is not known from now on."""
        now = time.time()
        if self._points and self._points[-1][1] == value:
            return
        while len(self._points) > 1 and self._points[1][0] < now - BACK:
            self._points.popleft()
        if len(self._points) > 1 and value is not None and now - self._points[-2][0] < FINE:
            self._points.pop()
        self._points.append((now, value))

    def body(self) -> list[list[float | None]]:
        """The points, oldest first."""
        return [[round(at, 2), value] for at, value in self._points]


class Gauge(ABC):
    """One of the four as its views see it.

    Parameters
    ----------
    ranks
        Tells which nodes the pool has.
    """

    def __init__(self, ranks: Callable[[], Sequence[int]]) -> None:
        self._ranks = ranks
        self._state: Body = {}
        self._due = 0.0

    def missed(self) -> None:
        """Nobody looked for a while."""
        self._due = 0.0

    def heard(self, changes: Changes) -> None:
        """Something has changed."""
        self._due = 0.0

    def pause(self, windows: Windows) -> float:
        """Seconds until there is something to read."""
        return max(0.0, self._due - time.monotonic())

    async def read(self, watch: Watch, windows: Windows) -> None:
        """Bring it up to date."""
        self._due = time.monotonic() + AGAIN
        self._state = await self._read(watch)

    def body(self, windows: Windows) -> Body:
        """What is shown; nothing before it was read."""
        return self._state

    @abstractmethod
    async def _read(self, watch: Watch) -> Body: ...


class CurvedGauge(Gauge):
    """A number that is also shown as it was."""

    def __init__(self, ranks: Callable[[], Sequence[int]]) -> None:
        super().__init__(ranks)
        self._curve = Curve()

    def missed(self) -> None:
        super().missed()
        self._curve.add(None)


class CounterGauge(CurvedGauge):
    """A counter, with its curve."""

    async def _read(self, watch: Watch) -> Body:
        value = await watch.counter()
        self._curve.add(float(value))
        # As text too: a page's numbers are not exact beyond 2**53.
        return {"value": str(value), "curve": self._curve.body()}


class QueueGauge(CurvedGauge):
    """A queue, with the curve of its length."""

    async def _read(self, watch: Watch) -> Body:
        stands = await watch.queue()
        self._curve.add(float(stands.length))
        front = None if stands.front is None else of_value(stands.front)
        return {
            "length": stands.length,
            "front": None if front is None else [front.text, front.type, front.odd],
            "takers": people(stands.takers),
            "taking": len(stands.takers),
            "curve": self._curve.body(),
        }


class BarrierGauge(Gauge):
    """A barrier: who has come, and who has not.

    Parameters
    ----------
    parties
        How many it is to be of, should nobody have used it yet; 0 for as many as there are nodes.
    """

    def __init__(self, ranks: Callable[[], Sequence[int]], parties: int) -> None:
        super().__init__(ranks)
        self._parties = parties

    async def _read(self, watch: Watch) -> Body:
        stands = await watch.barrier()
        ranks = sorted(self._ranks())
        came = {who.node for who in stands.arrived}
        parties = self._parties or stands.parties
        # Of another number of parties nobody knows which nodes they are to come from.
        missing = [rank for rank in ranks if rank not in came] if parties == len(ranks) else []
        return {
            "parties": parties,
            "generation": stands.generation,
            "arrived": people(stands.arrived),
            "came": len(stands.arrived),
            "missing": missing[: max(0, parties - len(stands.arrived))],
        }


class LockGauge(Gauge):
    """A lock: who has it, since when, and who waits."""

    async def _read(self, watch: Watch) -> Body:
        stands = await watch.lock()
        return {
            "holder": None if stands.holder is None else person(stands.holder),
            "token": stands.token,
            "since": stands.since,
            "waiters": people(stands.waiters),
            "waiting": len(stands.waiters),
        }


def people(whos: Sequence[Who]) -> list[list[Any]]:
    """The first of them, as a page reads them."""
    return [person(who) for who in whos[:LISTED]]


def person(who: Who) -> list[Any]:
    """Node, or None for the notebook; task; what it is called."""
    return [who.node, who.task, who.label[:80]]
