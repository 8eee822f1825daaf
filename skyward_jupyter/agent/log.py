"""The run log of a node: the numbered events of one client, kept until it acknowledges them.

Results and yields are never dropped. Output is, beyond a bound, oldest first, and what was dropped is counted; a
client that stops reading costs the node no more than that bound.
"""

from __future__ import annotations

from collections import deque

from skyward_jupyter.wire.events import Kind
from skyward_jupyter.wire.messages import Batch, Event

#: Bytes of output kept for a client that does not read.
OUTPUT_BOUND = 64 * 2**20
#: Bytes of events put into one answer.
BATCH_BOUND = 2 * 2**20


class RunLog:
    """Events of one client, numbered from 1.

    Attributes
    ----------
    last
        The number of the newest event.
    lost
        Bytes of output dropped so far.
    """

    def __init__(self, output_bound: int = OUTPUT_BOUND) -> None:
        self._bound = output_bound
        self._events: deque[Event] = deque()
        self._output = 0
        self._dropped = 0
        self.last = 0
        self.lost = 0

    def add(self, task: int, kind: Kind, body: bytes, seconds: float = 0.0) -> Event:
        """Number and keep an event."""
        self.last += 1
        event = Event(self.last, task, int(kind), body, seconds)
        self._events.append(event)
        if not _kept(event):
            self._output += len(body)
            if self._output > self._bound:
                self._drop()
        return event

    def acknowledge(self, after: int) -> list[int]:
        """Forget the events up to number `after`, and return the tasks whose end was among them."""
        ended = []
        while self._events and self._events[0].seq <= after:
            event = self._events.popleft()
            if not _kept(event):
                self._output -= len(event.body)
            elif Kind.VALUE <= event.kind <= Kind.ERROR:
                ended.append(event.task)
        return ended

    @property
    def acknowledged(self) -> int:
        """The number that the events kept come after."""
        return self._events[0].seq - 1 if self._events else self.last

    def ended(self) -> set[int]:
        """The tasks whose end is kept."""
        return {event.task for event in self._events if Kind.VALUE <= event.kind <= Kind.ERROR}

    def has_after(self, after: int) -> bool:
        """Whether there is an event later than number `after`."""
        return bool(self._events) and self._events[-1].seq > after

    def batch(self) -> Batch:
        """The oldest events, as many as fit into one answer."""
        events: list[Event] = []
        size = 0
        for event in self._events:
            if events and size + len(event.body) > BATCH_BOUND:
                break
            events.append(event)
            size += len(event.body)
        dropped, self._dropped = self._dropped, 0
        return Batch(tuple(events), dropped)

    def _drop(self) -> None:
        """Halve the output kept, in one pass."""
        kept: deque[Event] = deque()
        for event in self._events:
            if not _kept(event) and self._output > self._bound // 2:
                self._output -= len(event.body)
                self._dropped += len(event.body)
                self.lost += len(event.body)
            else:
                kept.append(event)
        self._events = kept


def _kept(event: Event) -> bool:
    return not Kind.OUTPUT <= event.kind <= Kind.CLEAR
