"""A queue in order, and which node takes the next task.

Free slots are filled round robin. A node is given a little more than it has slots for, so that it need not wait for
this kernel between two tasks: as many as it runs in `AHEAD` seconds, judged by those it has run, and none when they
are long. If one turns out to be long after all, those behind it come back and go to other nodes.

Calls and nodes use this directly, on the loop: every trivial call passes here twice, and a message to an actor would
cost it more than everything that is done here.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from skyward_jupyter.actors.messages import Assign, Check
from skyward_jupyter.actors.queue import Queue

if TYPE_CHECKING:
    from skyward_jupyter.actors.hub import Hub

#: How far ahead a node is supplied (seconds), and the most tasks that may be.
AHEAD = 0.02
MOST_AHEAD = 64
#: A node that ended nothing for this long (seconds) gives back what it was supplied with ahead.
STUCK_AFTER = 0.05


@dataclass(slots=True)
class Seat:
    """A node as the placer sees it; one that is `away` cannot be reached just now."""

    rank: int
    slots: int
    given: int = 0
    seconds: float | None = None
    moved: bool = True
    away: bool = False

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
    """The queue and the seats: pure state, no messages.

    With `packed`, low numbers are filled first instead of round robin, so that others can be idle.
    """

    def __init__(self) -> None:
        self.queue = Queue()
        self._seats: dict[int, Seat] = {}
        self._next = 0
        self._jobs: Counter[int] = Counter()
        self.checking = False
        self.packed = False

    def up(self, rank: int, slots: int, given: int = 0) -> None:
        """A node takes tasks from now on; it has some already."""
        self._seats[rank] = Seat(rank, slots, given)

    def down(self, rank: int) -> None:
        """It does not any more."""
        self._seats.pop(rank, None)

    def resize(self, rank: int, slots: int) -> None:
        """It has so many slots now, and is given no more than these take."""
        if (seat := self._seats.get(rank)) is not None:
            seat.slots = slots

    def away(self, rank: int, away: bool) -> None:
        """A node cannot be reached, or can again: what it has is its own, and it is given no more while others are."""
        if (seat := self._seats.get(rank)) is not None:
            seat.away = away

    def job(self, rank: int, change: int) -> None:
        """An executor of this process has one job more on a node, or one less."""
        self._jobs[rank] += change
        if not self._jobs[rank]:
            del self._jobs[rank]

    def has_job(self, rank: int) -> bool:
        """Whether a node has a job of an executor of this process."""
        return rank in self._jobs

    def settled(self, rank: int, count: int, seconds: float) -> None:
        """Tasks ended on a node, after `seconds` each on average."""
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
        self.queue.prepend(wanted)

    @property
    def nodes(self) -> int:
        """How many take tasks."""
        return len(self._seats)

    @property
    def seconds(self) -> float:
        """How long tasks take; 0 while none has ended."""
        known = [seat.seconds for seat in self._seats.values() if seat.seconds is not None]
        return sum(known) / len(known) if known else 0.0

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
        """Take tasks from the queue for the nodes that have room, free slots first, one each in turn.

        Slots without a job come before those with one, where a task waits for its end: it does not wait here, or jobs
        that follow each other would keep it for ever.
        """
        placed: dict[int, list[int]] = {}
        for room in (self._unoccupied, _slots, _window) if self._jobs else (_slots, _window):
            while self.queue and (seat := self._turn(room)) is not None:
                seat.given += 1
                seat.moved = True
                placed.setdefault(seat.rank, []).append(self.queue.take())
        return placed

    def _unoccupied(self, seat: Seat) -> int:
        return seat.slots - self._jobs[seat.rank]

    def _turn(self, room: Callable[[Seat], int]) -> Seat | None:
        ranks = sorted(rank for rank, seat in self._seats.items() if not seat.away) or sorted(self._seats)
        for step in range(len(ranks)):
            seat = self._seats[ranks[step if self.packed else (self._next + step) % len(ranks)]]
            if seat.given < room(seat):
                self._next = (self._next + step + 1) % len(ranks)
                return seat
        return None


def _slots(seat: Seat) -> int:
    return seat.slots


def _window(seat: Seat) -> int:
    return seat.window


def enqueue(hub: Hub, tasks: Iterable[int]) -> None:
    """Put tasks into the queue of a pool; those there is room for go to their nodes."""
    hub.placing.queue.extend(tasks)
    assign(hub)


def settled(hub: Hub, rank: int, count: int, seconds: float) -> None:
    """Pooled tasks ended on a node, after `seconds` each on average: it may have the next ones."""
    hub.placing.settled(rank, count, seconds)
    assign(hub)


def assign(hub: Hub) -> None:
    """Hand the nodes that have room their tasks."""
    placing = hub.placing
    placed = placing.place() if placing.queue else {}
    hub.desk.queued = len(placing.queue)
    for rank, tasks in placed.items():
        take = hub.takers.get(rank)
        if take is not None:
            take(tasks)
        else:
            hub.node(rank).tell(Assign(tuple(tasks)))
    if placing.queue and hub.elastic is not None:
        hub.elastic.nudge()
    if placing.queue and hub.recorder is not None:
        hub.recorder.waits()
    if placing.supplied and not placing.checking:
        placing.checking = True
        asyncio.get_running_loop().call_later(STUCK_AFTER, hub.placer.tell, Check())
