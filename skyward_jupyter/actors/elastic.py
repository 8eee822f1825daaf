"""How many nodes an elastic pool has: it grows with the queue and shrinks when nodes are idle.

It grows by as many nodes as what waits in the queue would keep busy for at least as long as they take to start: work
that would be done before a new node is ready starts none. It shrinks by one node at a time, the highest number first,
once that one has been idle for a stated time. A node that runs something is never ended, nor one that holds a session:
what cells left there would be lost without a word.
"""

from __future__ import annotations

import asyncio
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from skyward_jupyter.actors.messages import Scale

if TYPE_CHECKING:
    from skyward_jupyter.actors.hub import Hub

#: Seconds between two looks, and how long a queue may last before the first one.
LOOK_EVERY = 1.0
LOOK_SOON = 0.1
#: How long a node is taken to need until one has started (seconds).
FIRST_START = 1.0
#: After a node could not be started, the pool does not grow by itself for this long (seconds).
HOLD = 60.0


@dataclass(frozen=True, slots=True)
class Bounds:
    """Between how many nodes a pool may have, and after how many idle seconds one goes."""

    smallest: int
    largest: int
    idle_after: float


@dataclass(frozen=True, slots=True)
class Demand:
    """What a pool has to do, and to do it with.

    Attributes
    ----------
    queued
        Tasks that no node takes.
    stalled
        Seconds for which the queue has not moved.
    seconds
        How long tasks take, judged by those that have ended; 0 when none has.
    nodes, ready
        Nodes there are to be, and those that take tasks now.
    slots
        Tasks at a time on one node.
    start
        Seconds a node takes to start.
    """

    queued: int
    stalled: float
    seconds: float
    nodes: int
    ready: int
    slots: int
    start: float


def grown(bounds: Bounds, demand: Demand) -> int:
    """How many nodes there should be for what waits: never fewer than there are to be."""
    if not demand.queued:
        return demand.nodes
    # A task takes at least as long as those that run now already keep the queue waiting.
    seconds = max(demand.seconds, demand.stalled if demand.ready else 0.0)
    left = demand.queued * seconds - demand.ready * demand.slots * demand.start
    enough = math.ceil(demand.queued / demand.slots)
    worth = math.ceil(left / (demand.slots * max(demand.start, seconds, 1e-6))) if left > 0 else 0
    wanted = max(1, demand.ready + min(enough, worth))
    return max(demand.nodes, min(bounds.largest, wanted))


class Idleness:
    """Since when each node has had nothing to do, judged by looking at it now and then."""

    def __init__(self) -> None:
        self._since: dict[int, float] = {}
        self._done: dict[int, int] = {}

    def look(self, rank: int, *, busy: bool, done: int, now: float) -> float:
        """How long a node has been idle, given whether it is busy and how many tasks have ended on it."""
        if busy or self._done.get(rank) != done:
            self._since[rank] = now
        self._done[rank] = done
        return now - self._since.setdefault(rank, now)

    def forget(self, ranks: set[int]) -> None:
        """Only these are still there."""
        for rank in set(self._since) - ranks:
            del self._since[rank]
            self._done.pop(rank, None)

    def restart(self, now: float) -> None:
        """Everything counts as busy just now."""
        self._since = dict.fromkeys(self._since, now)


class Autoscaler:
    """Looks at an elastic pool from time to time, while there is anything it could do, and asks for another size."""

    def __init__(self, hub: Hub, bounds: Bounds, first: int) -> None:
        self.bounds = bounds
        self._hub = hub
        self._first = first
        self._idleness = Idleness()
        self._timer: asyncio.TimerHandle | None = None
        self._start = 0.0
        self._head = 0
        self._moved = 0.0
        self._held_until = 0.0
        self._seconds = 0.0

    def nudge(self) -> None:
        """There may be something to do."""
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(LOOK_SOON, self._look)

    def wake(self) -> None:
        """Something is for every node, and there is none: have the first ones."""
        if self._hub.desired == 0:
            self._ask(min(self.bounds.largest, max(1, self._first)), "asked")

    def asked(self) -> None:
        """Somebody said how many nodes they want: those are not idle from the first moment on."""
        self._idleness.restart(asyncio.get_running_loop().time())
        self.nudge()

    def took(self, seconds: float) -> None:
        """A node was ready so many seconds after it was asked for."""
        self._start = seconds if not self._start else 0.5 * self._start + 0.5 * seconds

    def hold(self) -> None:
        """A node could not be started: no more of that for a while."""
        self._held_until = asyncio.get_running_loop().time() + HOLD

    def close(self) -> None:
        """Look no more."""
        if self._timer is not None:
            self._timer.cancel()

    def _look(self) -> None:
        self._timer = None
        hub = self._hub
        if hub.state not in ("starting", "ready"):
            return
        now = asyncio.get_running_loop().time()
        wanted = self._grown(now)
        if wanted > hub.desired:
            self._ask(wanted, "queue")
        elif not hub.placing.queue and self._may_shrink(now):
            self._ask(hub.desired - 1, "idle")
        if hub.placing.queue or hub.desired != self.bounds.smallest:
            pause = min(LOOK_EVERY, max(LOOK_SOON, self.bounds.idle_after / 4))
            self._timer = asyncio.get_running_loop().call_later(pause, self._look)

    def _grown(self, now: float) -> int:
        placing = self._hub.placing
        head = placing.queue.head
        if head != self._head or not placing.nodes:
            self._head, self._moved = head, now
        if now < self._held_until:
            return self._hub.desired
        self._seconds = placing.seconds or self._seconds
        demand = Demand(
            queued=len(placing.queue),
            stalled=now - self._moved,
            seconds=self._seconds,
            nodes=self._hub.desired,
            ready=placing.nodes,
            slots=self._hub.spec.concurrency,
            start=self._start or FIRST_START,
        )
        return max(self.bounds.smallest, grown(self.bounds, demand))

    def _may_shrink(self, now: float) -> bool:
        """Whether the node of the highest number has been idle for long enough."""
        hub = self._hub
        self._idleness.forget(set(hub.desk.nodes))
        for rank, view in hub.desk.nodes.items():
            busy = view.running > 0 or rank in hub.desk.sessions or rank not in hub.takers or hub.placing.has_job(rank)
            idle = self._idleness.look(rank, busy=busy, done=view.done, now=now)
            if rank == hub.desired - 1 and hub.desired > self.bounds.smallest and idle >= self.bounds.idle_after:
                return not any(entry.rank == rank for entry in hub.desk.tasks.values())
        return False

    def _ask(self, nodes: int, why: str) -> None:
        self._hub.pool.tell(Scale(nodes, why))
