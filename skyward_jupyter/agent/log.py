"""The run log of a node: the numbered events of one client, kept until it acknowledges them.

Results and yields are never dropped. Output is, beyond a bound, oldest first; in its place stays an event that says how
much it was, so a client that stops reading costs the node no more than that bound, and still learns what it missed, and
where.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from skyward_jupyter.wire.blobs import Blob
from skyward_jupyter.wire.events import Kind
from skyward_jupyter.wire.feeds import count_of
from skyward_jupyter.wire.messages import Batch, Event
from skyward_jupyter.wire.parts import Malformed, blobs_of
from skyward_jupyter.wire.said import loss_in, packed_loss, size_of_text

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


    Parameters
    ----------
    output_bound
        Bytes of output kept; `OUTPUT_BOUND` when not given.
    forget
        Called with each blob of output that is dropped.
    """

    def __init__(self, output_bound: int | None = None, forget: Callable[[Blob], object] = lambda _: None) -> None:
        self._forget = forget
        self._bound = OUTPUT_BOUND if output_bound is None else output_bound
        self._events: deque[Event] = deque()
        self._output = 0
        self._handed: set[int] = set()
        self.last = 0
        self.lost = 0

    def add(
        self, task: int, kind: Kind, body: bytes, seconds: float = 0.0, overdue: float = 0.0, full: bool = False
    ) -> Event:
        """Number and keep an event."""
        self.last += 1
        event = Event(self.last, task, int(kind), body, seconds, overdue, full)
        self._events.append(event)
        if not _kept(event):
            self._output += len(body)
            if self._output > self._bound:
                self._drop()
        return event

    def acknowledge(self, after: int) -> list[int]:
        """Forget the events up to number `after`, and return the tasks whose end was among them."""
        ended = []
        self._handed = {number for number in self._handed if number > after}
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

    def yields(self, task: int) -> int:
        """How many yields of a task are kept."""
        kept = [event for event in self._events if event.task == task]
        single = sum(event.kind == Kind.YIELD for event in kept)
        return single + sum(count_of(event.body) for event in kept if event.kind == Kind.YIELDS)

    def has_after(self, after: int) -> bool:
        """Whether there is an event later than number `after`."""
        return bool(self._events) and self._events[-1].seq > after

    def handed(self, event: Event) -> None:
        """The client may have the events up to this one, which it was told of by another way than `batch`."""
        self._handed.add(event.seq)

    def batch(self) -> Batch:
        """The oldest events, as many as fit into one answer."""
        events: list[Event] = []
        size = 0
        for event in self._events:
            if events and size + len(event.body) > BATCH_BOUND:
                break
            events.append(event)
            size += len(event.body)
        if events:
            self._handed.add(events[-1].seq)
        return Batch(tuple(events))

    def _drop(self) -> None:
        """Halve the output kept, in one pass."""
        gaps = _Gaps()
        for event in self._events:
            if not _kept(event) and self._output > self._bound // 2:
                self._output -= len(event.body)
                self.lost += len(event.body)
                gaps.drop(event)
                if event.kind == Kind.DISPLAY:
                    for blob in blobs_of(event.body):
                        self._forget(blob)
            else:
                gaps.keep(event)
            if event.seq in self._handed:
                gaps.end()  # the client may have the events up to this one
        self._events = gaps.events()


class _Gaps:
    """Events of which some are dropped: what was dropped of a task between two that are kept becomes one event."""

    def __init__(self) -> None:
        self._kept: list[Event | None] = []
        self._open: dict[int, tuple[int, int, int]] = {}

    def keep(self, event: Event) -> None:
        """One that stays; one that stands for a gap may be the beginning of a larger one."""
        if event.kind == Kind.DROPPED:
            self._widen(event, *_loss(event))
        else:
            self._open.pop(event.task, None)
            self._kept.append(event)

    def drop(self, event: Event) -> None:
        """One that goes."""
        self._widen(event, *_loss(event))

    def end(self) -> None:
        """Gaps do not reach beyond this place."""
        self._open.clear()

    def events(self) -> deque[Event]:
        """What is left."""
        return deque(event for event in self._kept if event is not None)

    def _widen(self, event: Event, size: int, displays: int) -> None:
        before = self._open.get(event.task)
        if before is not None:
            place, size, displays = before[0], before[1] + size, before[2] + displays
            self._kept[place] = None
        self._open[event.task] = len(self._kept), size, displays
        self._kept.append(Event(event.seq, event.task, int(Kind.DROPPED), packed_loss(size, displays)))


def _loss(event: Event) -> tuple[int, int]:
    """Bytes of text in an event of output, and how many displays it is."""
    try:
        match event.kind:
            case Kind.OUTPUT:
                return size_of_text(event.body), 0
            case Kind.DROPPED:
                return loss_in(event.body)
    except Malformed:
        return len(event.body), 0
    return 0, int(event.kind == Kind.DISPLAY)


def _kept(event: Event) -> bool:
    return not Kind.OUTPUT <= event.kind <= Kind.CLEAR
