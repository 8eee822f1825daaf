"""The task actor: a queue in order, and which node takes the next task.

Free slots are filled round robin. A node is given a little more than it has slots for, so that it need not wait for
this kernel between two tasks: as many as it runs in `AHEAD` seconds, judged by those it has run, and none when they
are long. If one turns out to be long after all, those behind it come back and go to other nodes.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from casty import Context, actor

from skyward_jupyter.actors import results
from skyward_jupyter.actors.desk import TaskEntry
from skyward_jupyter.actors.hub import Hub, find
from skyward_jupyter.actors.messages import (
    Act,
    Assign,
    Check,
    Enqueue,
    NodeDown,
    NodeUp,
    Recall,
    Returned,
    Settled,
    Withdraw,
)
from skyward_jupyter.errors import TaskInterrupted
from skyward_jupyter.wire.events import Failure

#: How far ahead a node is supplied (seconds), and the most tasks that may be.
AHEAD = 0.02
MOST_AHEAD = 64
#: A node that ended nothing for this long (seconds) gives back what it was supplied with ahead.
STUCK_AFTER = 0.05

type PlacerMessage = Enqueue | Returned | Check | Withdraw | Settled | NodeUp | NodeDown


@dataclass(slots=True)
class Seat:
    """A node as the placer sees it."""

    rank: int
    slots: int
    given: int = 0
    seconds: float | None = None
    moved: bool = True

    @property
    def window(self) -> int:
        """How many tasks it may have."""
        if self.seconds is None or self.seconds >= AHEAD:
            return self.slots
        return self.slots + min(MOST_AHEAD, int(self.slots * AHEAD / max(self.seconds, 1e-6)))

    def learn(self, seconds: float) -> None:
        """Take in the mean duration of tasks that ended."""
        self.seconds = seconds if self.seconds is None else 0.7 * self.seconds + 0.3 * seconds


class Placer:
    """The queue and the seats: pure state, no messages."""

    def __init__(self) -> None:
        self.queue: deque[int] = deque()
        self._seats: dict[int, Seat] = {}
        self._next = 0

    def up(self, rank: int, slots: int, given: int = 0) -> None:
        """A node takes tasks from now on; it has some already."""
        self._seats[rank] = Seat(rank, slots, given)

    def down(self, rank: int) -> None:
        """It does not any more."""
        self._seats.pop(rank, None)

    def settled(self, rank: int, count: int, seconds: float) -> None:
        """Tasks ended on a node."""
        seat = self._seats.get(rank)
        if seat is not None:
            seat.given = max(0, seat.given - count)
            seat.moved = True
            seat.learn(seconds)

    def returned(self, rank: int, tasks: Sequence[int], wanted: Sequence[int]) -> None:
        """A node gave tasks back; those still wanted are the next to be placed."""
        seat = self._seats.get(rank)
        if seat is not None:
            seat.given = max(0, seat.given - len(tasks))
        self.queue.extendleft(reversed(wanted))

    @property
    def supplied(self) -> bool:
        """Whether some node has more tasks than slots."""
        return any(seat.given > seat.slots for seat in self._seats.values())

    def stuck(self) -> list[int]:
        """The nodes on which tasks wait and none has ended since this was asked last.

        They are supplied with none ahead until shorter tasks have ended on them.
        """
        found = [seat for seat in self._seats.values() if seat.given > seat.slots and not seat.moved]
        for seat in self._seats.values():
            seat.moved = False
        for seat in found:
            seat.seconds = max(seat.seconds or 0.0, AHEAD)
        return [seat.rank for seat in found]

    def place(self) -> dict[int, list[int]]:
        """Take tasks from the queue for the nodes that have room, free slots first, one each in turn."""
        placed: dict[int, list[int]] = {}
        for free_slots_only in (True, False):
            while self.queue and (seat := self._turn(free_slots_only)) is not None:
                seat.given += 1
                seat.moved = True
                placed.setdefault(seat.rank, []).append(self.queue.popleft())
        return placed

    def _turn(self, free_slots_only: bool) -> Seat | None:
        ranks = sorted(self._seats)
        for step in range(len(ranks)):
            seat = self._seats[ranks[(self._next + step) % len(ranks)]]
            if seat.given < (seat.slots if free_slots_only else seat.window):
                self._next = (self._next + step + 1) % len(ranks)
                return seat
        return None


@actor(initial=0, idle_after=timedelta(days=365))
async def placer(ctx: Context[int, PlacerMessage]) -> None:
    """Places the tasks of one pool."""
    hub = find(ctx.key)
    if hub is None:
        return
    state = Placer()
    checking = False
    async for message in ctx.inbox:
        answer: int | None = None
        match message:
            case Enqueue(tasks):
                state.queue.extend(tasks)
            case Withdraw(number, action):
                _withdraw(hub, state, number, action)
            case Settled(rank, count, seconds):
                state.settled(rank, count, seconds)
                answer = rank
            case Returned(rank, tasks):
                state.returned(rank, tasks, _wanted(hub, tasks))
            case Check():
                checking = False
                for rank in state.stuck():
                    hub.node(rank).tell(Recall())
            case NodeUp(rank, slots, given):
                state.up(rank, slots, given)
            case NodeDown(rank):
                state.down(rank)
        _assign(hub, state, answer)
        if state.supplied and not checking:
            checking = True
            ctx.to_self(asyncio.sleep(STUCK_AFTER), lambda _: Check())


def _wanted(hub: Hub, tasks: Sequence[int]) -> list[int]:
    """Those that were not stopped meanwhile; the others end here."""
    wanted = []
    for number in tasks:
        entry = hub.desk.tasks.get(number)
        if entry is None or entry.outcome.done():
            continue
        entry.rank = None
        if entry.stopping:
            _cancelled(hub, entry)
        else:
            wanted.append(number)
    return wanted


def _cancelled(hub: Hub, entry: TaskEntry) -> None:
    results.end(hub, entry, Failure(-1, TaskInterrupted("the task was cancelled before it started"), 0.0))


def _assign(hub: Hub, state: Placer, answer: int | None) -> None:
    placed = state.place()
    hub.desk.queued = len(state.queue)
    if answer is not None:
        placed.setdefault(answer, [])
    for rank, tasks in placed.items():
        hub.node(rank).tell(Assign(tuple(tasks)))


def _withdraw(hub: Hub, state: Placer, number: int, action: str) -> None:
    entry = hub.desk.tasks.get(number)
    if entry is None:
        return
    entry.stopping = action
    if entry.rank is not None:
        hub.node(entry.rank).tell(Act(number, action))
    elif number in state.queue:
        state.queue.remove(number)
        _cancelled(hub, entry)
