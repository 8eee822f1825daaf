"""What the nodes of a pool cost: each from its start to its end, at its provider's price."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import NamedTuple

from skyward_jupyter.actors.bus import Bus
from skyward_jupyter.events import CostChanged

#: Seconds between two events while something costs.
EVERY = 60.0
_HOUR = 3600.0


class Cost(NamedTuple):
    """What a pool costs, in US dollars: `per_hour` at this moment, and `so_far` from its start until now."""

    per_hour: float
    so_far: float

    def __str__(self) -> str:
        """As a person reads it; empty while nothing has cost anything."""
        return f"${self.per_hour:,.2f}/h, ${self.so_far:,.2f} so far" if self.per_hour or self.so_far else ""


class Meter:
    """Runs while nodes do.

    Parameters
    ----------
    clock
        Seconds since the epoch.
    """

    def __init__(self, events: Bus, clock: Callable[[], float] = time.time) -> None:
        self._events = events
        self._clock = clock
        self._rates: dict[int, float] = {}
        self._since = 0.0
        self._spent = 0.0
        self._timer: asyncio.TimerHandle | None = None

    @property
    def now(self) -> Cost:
        """What the pool costs, and has cost."""
        per_hour = sum(self._rates.values())
        return Cost(per_hour, self._spent + per_hour * max(0.0, self._clock() - self._since) / _HOUR)

    def begin(self, rates: dict[int, float], since: float | None = None) -> None:
        """Nodes are there, or are being started, at so much per hour each; perhaps `since` a while already."""
        charged = {rank: rate for rank, rate in rates.items() if rate}
        if charged:
            self._settle()
            if since is not None:
                self._spent += sum(charged.values()) * max(0.0, self._clock() - since) / _HOUR
            self._rates |= charged
            self._tell()

    def end(self, rank: int) -> None:
        """A node is gone; doing this twice does no harm."""
        if rank in self._rates:
            self._settle()
            del self._rates[rank]
            self._tell()

    def close(self) -> None:
        """The pool is over, or another kernel's: nothing costs any more here."""
        if self._rates:
            self._settle()
            self._rates.clear()
            self._tell()

    def _settle(self) -> None:
        """Count what the nodes have cost until now, before others cost something."""
        self._spent, self._since = self.now.so_far, self._clock()

    def _tell(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._events.emit(CostChanged, *self.now)
        if self._rates:
            self._timer = asyncio.get_running_loop().call_later(EVERY, self._tell)
