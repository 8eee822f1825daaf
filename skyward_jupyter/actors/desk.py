"""What the actors' numbers stand for: the tasks in flight of one pool and the state of its nodes.

Everything here is touched on the runtime's loop only. An actor changes a task or a node it is responsible for; the rest
of the project reads.
"""

from __future__ import annotations

import asyncio
import itertools
import math
import time
import weakref
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from skyward_jupyter.actors.boot import Boot
from skyward_jupyter.actors.feed import Feeds
from skyward_jupyter.actors.past import Past, Throughput, Times
from skyward_jupyter.actors.tail import Tail
from skyward_jupyter.actors.tally import Tallies
from skyward_jupyter.wire.blobs import Blob
from skyward_jupyter.wire.events import Outcome, TaskEvent
from skyward_jupyter.wire.feeds import FIRST_WINDOW
from skyward_jupyter.wire.messages import Code, Task

type Late = weakref.WeakMethod[Callable[[TaskEvent], None]]
#: How many tasks that ended are remembered with who hears of them.
HEARD = 1_000
#: Bits of a task id that count tasks; those above count the kernels that drove the pool.
_ID_BITS = 40


class NodeState(StrEnum):
    """Of a node, as its actor sees it."""

    WAITING = "waiting"
    IDLE = "idle"
    ACTIVE = "active"
    LOST = "lost"


@dataclass(frozen=True, slots=True)
class NodeView:
    """A node at one moment.

    Attributes
    ----------
    rank, state, phase
        Where it stands in the pool and in its life.
    address, pid
        Of its agent; the pid is 0 until the agent runs.
    slots, running, done
        Slots it has, tasks it runs, and tasks that have ended on the nodes that had this rank.
    link
        Why it cannot be reached just now; empty while it can.
    doing
        The phase, for people: of a node that cannot be reached, that, and since when.
    log
        The steps of its start, and the lines that they wrote; oldest first, the last ones.
    lacks
        What keeps it, or slots of it, from starting just now; empty where nothing does.
    """

    rank: int
    state: NodeState
    phase: str
    address: str
    pid: int
    slots: int
    running: int = 0
    done: int = 0
    link: str = ""
    lacks: str = ""
    _boot: Boot = field(default_factory=Boot, repr=False)

    @property
    def log(self) -> tuple[str, ...]:
        """The steps of its start, and the lines that they wrote; oldest first, the last ones."""
        return tuple(entry.text for entry in self._boot.entries)

    @property
    def doing(self) -> str:
        """The phase, for people: of a node that cannot be reached, that, and since when."""
        if not self.link:
            return self.lacks or self.phase
        return f"not reachable since {time.strftime('%H:%M:%S', time.localtime(self._boot.since))} ({self.link})"


def boot_of(view: NodeView) -> Boot:
    """What the start of a node said."""
    return view._boot


def at_now(view: NodeView) -> str:
    """What a node is at, in a line, for views that show for how long."""
    return (f"not reachable ({view.link})" if view.link else view.lacks or view.phase).partition("\n")[0]


@dataclass(frozen=True, slots=True)
class Yielded:
    """What a generator yielded: the values, their bytes, and whether it waits for its reader since."""

    values: Sequence[object]
    size: int
    full: bool


@dataclass(slots=True, eq=False)
class TaskEntry:
    """One task in flight, from the kernel's side.

    Attributes
    ----------
    outcome
        Done with the task's `Outcome`; never with an exception.
    rank
        The node it is on, or is for; None while it is in the queue.
    pooled
        Whether the task actor placed it.
    yields
        For a generator: what it yielded and was not read yet, as `Yielded`; a `StreamEnd` ends it.
    blobs
        What it needs, which stays until it has ended.
    run, parts, label
        The call it belongs to, as of `skyward_jupyter.wire.messages.Task`.
    adopted
        Whether another kernel sent it, so that its code and arguments are not here.
    had
        How many of its yields that one had.
    stopping
        What it was last told to do: ``interrupt`` or ``kill``.
    feeds
        Its streams, when it has arguments that are streams.
    fetching
        Brings a large yield or result from the node; what comes after it waits for it.
    queued, sent, arrived
        When it was called, may have left this process (0: it has not), and when its end was here (epoch seconds).
    seconds
        How long it ran, as its node says.
    tries
        On how many nodes it was begun, the present one included.
    retries, yielded
        How often it may be begun again when its node is lost, and whether it has yielded something already.
    late
        Who hears what its threads and children write after its end, as long as there is somebody.
    cell
        The number of the notebook's cell that ran when it was called; 0 outside of a notebook.
    """

    id: int
    code: Code
    args: bytes
    outcome: asyncio.Future[Outcome]
    name: str = ""
    session: bool = False
    timeout: float = 0.0
    flags: str = ""
    rank: int | None = None
    pooled: bool = False
    on_event: Callable[[TaskEvent], None] | None = None
    yields: asyncio.Queue[object] | None = None
    blobs: tuple[Blob, ...] = ()
    run: int = 0
    parts: int = 1
    label: str = ""
    adopted: bool = False
    had: int = 0
    stopping: str = ""
    feeds: Feeds | None = None
    fetching: asyncio.Task[None] | None = None
    queued: float = field(default_factory=time.time)
    sent: float = 0.0
    arrived: float = 0.0
    seconds: float = 0.0
    tries: int = 1
    retries: int = 0
    yielded: bool = False
    late: Late | None = None
    cell: int = 0

    @property
    def function(self) -> str:
        """What the function of a call is called; of a cell, nothing."""
        return "" if self.session else self.name


@dataclass(slots=True)
class Desk:
    """The tables of one pool.

    Attributes
    ----------
    tasks
        In flight, by id.
    nodes
        The latest view of each node, by rank.
    throughput
        How many tasks ended lately.
    tallies
        How all tasks ended.
    queued
        Tasks that wait for a node.
    seen
        The last event that came from each node, by rank.
    sessions
        The nodes that a cell has run on, by rank.
    times
        When the last tasks were where: what `skyward_jupyter.events.TaskTimes` is made of.
    turnaround
        The shortest time from sending a task to a node to its end here, less what it ran; by rank.
    tails
        The last that came of each node, whichever process it was then, by rank.
    late
        Who hears what tasks that have ended still write, by task.
    """

    tasks: dict[int, TaskEntry] = field(default_factory=dict)
    nodes: dict[int, NodeView] = field(default_factory=dict)
    throughput: Throughput = field(default_factory=Throughput)
    tallies: Tallies = field(default_factory=Tallies)
    queued: int = 0
    seen: dict[int, int] = field(default_factory=dict)
    sessions: set[int] = field(default_factory=set)
    times: Past = field(default_factory=Past)
    turnaround: dict[int, float] = field(default_factory=dict)
    tails: defaultdict[int, Tail] = field(default_factory=lambda: defaultdict(Tail))
    late: dict[int, Late] = field(default_factory=dict)
    _ids: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def next_id(self) -> int:
        """A task id that was not used before."""
        return next(self._ids)

    def start_ids(self, epoch: int) -> None:
        """Give ids that no kernel gave that drove the pool before."""
        self._ids = itertools.count((epoch << _ID_BITS) + 1)

    def outlive(self, entry: TaskEntry) -> None:
        """A task has ended; what it started may go on and write."""
        if entry.late is not None:
            self.late[entry.id] = entry.late
            while len(self.late) > HEARD:
                del self.late[next(iter(self.late))]

    def record(self, entry: TaskEntry, rank: int, error: str) -> Times | None:
        """Keep when a task that ended was where; one that never left this process was nowhere."""
        if not entry.sent:
            return None
        now = time.time()
        arrived = entry.arrived or now
        if entry.arrived:
            around = max(0.0, arrived - entry.sent - entry.seconds)
            if around < self.turnaround.get(rank, math.inf):
                self.turnaround[rank] = around
        ended = max(entry.sent, arrived - self.turnaround.get(rank, 0.0) / 2)
        began = max(entry.sent, ended - entry.seconds)
        name = "cell" if entry.session else entry.name
        times = (entry.id, name, rank, entry.queued, entry.sent, began, ended, now, error, entry.tries, entry.cell)
        self.times.append(times)
        return times

    def ended(self, after: int, most: int) -> tuple[int, list[Times]]:
        """The times recorded after the first `after`, of more than `most` the last; and how many came before them."""
        count = max(0, min(self.times.recorded - after, len(self.times), most))
        return self.times.recorded - count, self.times.last(count)


def task_of(entry: TaskEntry) -> Task:
    """The message for a task."""
    return Task(
        id=entry.id,
        code=entry.code.digest,
        args=entry.args,
        session=entry.session,
        timeout=entry.timeout,
        credit=FIRST_WINDOW if entry.yields is not None else 0,
        flags=entry.flags,
        streams=len(entry.feeds) if entry.feeds is not None else 0,
        run=entry.run,
        parts=entry.parts,
        label=entry.label,
    )
