"""The task actor: a queue in order, and which node takes the next task.

Free slots are filled round robin. A node is given a little more than it has slots for, so that it need not wait for
this kernel between two tasks: as many as it runs in `AHEAD` seconds, judged by those it has run, and none when they
are long.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from datetime import timedelta

from casty import Context, actor

from skyward_jupyter.actors import results
from skyward_jupyter.actors.hub import Hub, find
from skyward_jupyter.actors.messages import Act, Assign, Enqueue, NodeDown, NodeUp, Settled, Withdraw
from skyward_jupyter.errors import TaskInterrupted
from skyward_jupyter.wire.events import Failure

#: How far ahead a node is supplied (seconds), and the most tasks that may be.
AHEAD = 0.02
MOST_AHEAD = 64

type PlacerMessage = Enqueue | Withdraw | Settled | NodeUp | NodeDown


@dataclass(slots=True)
class Seat:
    """A node as the placer sees it."""

    rank: int
    slots: int
    given: int = 0
    seconds: float | None = None

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

    def up(self, rank: int, slots: int) -> None:
        """A node takes tasks from now on."""
        self._seats[rank] = Seat(rank, slots)

    def down(self, rank: int) -> None:
        """It does not any more."""
        self._seats.pop(rank, None)

    def settled(self, rank: int, count: int, seconds: float) -> None:
        """Tasks ended on a node."""
        seat = self._seats.get(rank)
        if seat is not None:
            seat.given = max(0, seat.given - count)
            seat.learn(seconds)

    def place(self) -> dict[int, list[int]]:
        """Take tasks from the queue for the nodes that have room, free slots first, one each in turn."""
        placed: dict[int, list[int]] = {}
        for free_slots_only in (True, False):
            while self.queue and (seat := self._turn(free_slots_only)) is not None:
                seat.given += 1
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
            case NodeUp(rank, slots):
                state.up(rank, slots)
            case NodeDown(rank):
                state.down(rank)
        _assign(hub, state, answer)


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
        results.end(hub, entry, Failure(-1, TaskInterrupted("the task was cancelled before it started"), 0.0))
