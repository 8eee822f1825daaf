"""A kernel, or a caller of the HTTP API, as a node knows it: the tasks it sent, and the log of what became of them.

What happens is kept until the client has it, and told at once only where that matters: values and ends right away,
output gathered for a moment.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import Protocol

from skyward_jupyter.agent.log import RunLog
from skyward_jupyter.wire.blobs import Blob
from skyward_jupyter.wire.events import Kind
from skyward_jupyter.wire.messages import Batch, Event, Exchange, Known, Task

#: Seconds that output may wait for more before an exchange is answered.
_GATHER = 0.02
#: How many task ids are remembered, to know one that comes again.
_REMEMBERED = 100_000


class Follower(Protocol):
    """Hears what becomes of the tasks of a client."""

    def began(self, task: int) -> None:
        """A slot has it."""
        ...

    def heard(self, task: int, kind: Kind, body: bytes, seconds: float) -> None:
        """It sent something, or ended."""
        ...


class Client:
    """One client of a node.

    Parameters
    ----------
    forget
        Takes a payload that the client has, or will never fetch.
    """

    def __init__(self, forget: Callable[[Blob], None]) -> None:
        self.log = RunLog(forget=forget)
        self.follower: Follower | None = None
        #: How many of its tasks are done, have failed, and were cancelled.
        self.done = self.failed = self.cancelled = 0
        self._seen: dict[int, tuple[Task, float] | None] = {}
        self._forgotten = 0
        self._refused: dict[int, bool] = {}
        self._held: Exchange | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._listening: Exchange | None = None
        self._late: asyncio.TimerHandle | None = None
        self._waiting: dict[int, asyncio.Future[Event]] = {}

    # -- its tasks -----------------------------------------------------------------------------------------------

    def remember(self, task: Task) -> bool:
        """Whether the task is new; it is known from now on."""
        if task.id in self._seen:
            return False
        self._seen[task.id] = (task, time.monotonic()) if self.follower is None else None
        if len(self._seen) > _REMEMBERED:
            self._forgotten = max(self._forgotten, next(iter(self._seen)))
            _limit(self._seen)
        return True

    def knows(self, task: int) -> bool:
        """Whether a task of this number came."""
        return task in self._seen

    def forget(self, task: int) -> None:
        """A task was handed back: should it come again, it is new."""
        self._seen.pop(task, None)

    def refuse(self, task: int) -> None:
        """A task was stopped before it came, as it may when the head hands it on."""
        self._refused[task] = True
        _limit(self._refused)

    def refused(self, task: int) -> bool:
        """Whether a task that comes now was stopped before."""
        return self._refused.pop(task, False)

    def tasks(self, running: Mapping[int, int]) -> tuple[Known, ...]:
        """What it may still want to know of; `running` has how often each running task has yielded."""
        ended = self.log.ended()

        now = time.monotonic()

        def known(task: Task, since: float) -> Known:
            state = "ended" if task.id in ended else "running" if task.id in running else "waiting"
            streams = task.credit > 0
            had = running.get(task.id, 0) - self.log.yields(task.id) if streams else 0
            return Known(task.id, task.run, task.parts, task.label, task.session, streams, state, now - since, had)

        return tuple(known(*kept) for kept in self._seen.values() if kept is not None)

    def handed(self) -> tuple[tuple[int, int], ...]:
        """The numbers of the tasks that came, as ranges: the first and the last of each.

        They come in order, so those before one that is not remembered any more came too, here or elsewhere.
        """
        found: list[tuple[int, int]] = [(0, self._forgotten)] if self._forgotten else []
        for number in sorted(self._seen):
            if found and found[-1][1] == number - 1:
                found[-1] = found[-1][0], number
            else:
                found.append((number, number))
        return tuple(found)

    # -- what it is told -----------------------------------------------------------------------------------------

    def acknowledge(self, after: int) -> None:
        """It has the events up to number `after`."""
        for task in self.log.acknowledge(after):
            if task in self._seen:
                self._seen[task] = None

    def hold(self, asked: Exchange) -> None:
        """Answer `asked` now, or when there is something to say; one that was held before is answered as it is."""
        self._answer()
        self._held = asked
        if self.log.has_after(asked.after):
            self._answer()
        else:
            self._timer = asyncio.get_running_loop().call_later(asked.hold, self._answer)

    def listen(self, asked: Exchange) -> None:
        """Answer `asked` when something of a task comes that has ended, or when its time is over."""
        if self._listening is not None:
            self._answer_late()
        self._listening = asked
        self._answer_late_in(0.0 if self.log.has_after(asked.after) else asked.hold)

    def release(self, epoch: int) -> list[Exchange]:
        """Let go of the held exchanges that are older than `epoch`, without an answer."""
        found = [asked for asked in (self._held, self._listening) if asked is not None and asked.epoch < epoch]
        self._held = None if self._held in found else self._held
        self._listening = None if self._listening in found else self._listening
        return found

    def end_of(self, task: int) -> asyncio.Future[Event]:
        """The last event of a task that is about to come; it is not kept for an exchange."""
        future = self._waiting[task] = asyncio.get_running_loop().create_future()
        return future

    def tell(
        self, task: int, kind: Kind, body: bytes, seconds: float = 0.0, overdue: float = 0.0, full: bool = False
    ) -> None:
        """Something happened to one of its tasks."""
        if self.follower is not None:
            self.follower.heard(task, kind, body, seconds)
            return
        event = self.log.add(task, kind, body, seconds, overdue, full)
        if kind.final and (waiting := self._waiting.pop(task, None)) is not None:
            self.log.handed(event)
            waiting.set_result(event)
        if self._held is None:
            return
        loop = asyncio.get_running_loop()
        if kind >= Kind.YIELD:
            self._answer()
        elif self._timer is None or self._timer.when() > loop.time() + _GATHER:
            if self._timer is not None:
                self._timer.cancel()
            self._timer = loop.call_later(_GATHER, self._answer)

    def tell_late(self, task: int, body: bytes) -> None:
        """Text of a task that has ended."""
        if self._held is not None:
            self.tell(task, Kind.OUTPUT, body)
            return
        self.log.add(task, Kind.OUTPUT, body)
        if self._listening is not None:
            self._answer_late_in(_GATHER)

    def _answer_late_in(self, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        if self._late is not None and self._late.when() <= loop.time() + seconds:
            return
        if self._late is not None:
            self._late.cancel()
        self._late = loop.call_later(seconds, self._answer_late)

    def _answer_late(self) -> None:
        asked, self._listening = self._listening, None
        if self._late is not None:
            self._late.cancel()
            self._late = None
        if asked is not None:
            asked.reply_to.tell(self.log.batch())

    def close(self) -> None:
        """Wait for nothing any more."""
        self._no_timer()
        if self._late is not None:
            self._late.cancel()
            self._late = None

    def _no_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _answer(self) -> None:
        asked, self._held = self._held, None
        self._no_timer()
        if asked is not None:
            asked.reply_to.tell(self.log.batch())


def refuse_exchange(asked: Exchange, holder: str) -> None:
    """Tell a kernel that another one drives the pool."""
    asked.reply_to.tell(Batch((), holder))


def _limit[T](known: dict[int, T]) -> None:
    while len(known) > _REMEMBERED:
        del known[next(iter(known))]
