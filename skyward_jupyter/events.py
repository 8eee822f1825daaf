"""What happens to a pool, as typed values: one stream that callbacks, readers and the dashboard share.

Users know it as ``sky.events``. Every event is an `Event`, so listening for a class hears its subclasses too: for
`NodeEvent` all that concerns nodes, for `Event` everything. Times are seconds since the epoch, by this machine's clock.
"""

from __future__ import annotations

from dataclasses import dataclass

from skyward_jupyter.agent.accelerators import GpuLoad

__all__ = [
    "CostChanged",
    "Event",
    "EventsDropped",
    "LogLine",
    "Metric",
    "NodeEvent",
    "NodeGivenUp",
    "NodeLost",
    "NodePhase",
    "NodeReady",
    "NodeReplaced",
    "NodeStarting",
    "NodeStopped",
    "PoolResized",
    "PoolState",
    "RunProgress",
    "TaskDone",
    "TaskEvent",
    "TaskQueued",
    "TaskRetried",
    "TaskSent",
    "TaskTimes",
]


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened.

    Attributes
    ----------
    at
        When, in seconds since the epoch.
    pool
        Name of the pool.
    """

    at: float
    pool: str


@dataclass(frozen=True, slots=True)
class PoolState(Event):
    """The pool as a whole: its `state` is ``starting``, ``ready``, ``stopping``, ``stopped`` or ``failed``.

    `note` is a sentence about it, or empty.
    """

    state: str
    note: str


@dataclass(frozen=True, slots=True)
class PoolResized(Event):
    """The pool is to have `nodes` nodes; `why` is ``asked``, ``queue``, ``idle`` or ``given up``."""

    nodes: int
    why: str


@dataclass(frozen=True, slots=True)
class CostChanged(Event):
    """What the pool costs `per_hour`, and has cost `so_far`, in US dollars.

    It comes when nodes come or go, and once a minute meanwhile. Nodes on this machine cost nothing and never say so.
    """

    per_hour: float
    so_far: float


@dataclass(frozen=True, slots=True)
class RunProgress(Event):
    """How far a run is that has several parts, or is a cell: when it begins, at most ten times a second, at its end.

    Attributes
    ----------
    run, what
        Its number in the pool, and the name of its function or the first line of the cell.
    done, total
        How many of its tasks have ended, with a result or an error, and how many it has.
    """

    run: int
    what: str
    done: int
    total: int


@dataclass(frozen=True, slots=True)
class EventsDropped(Event):
    """A reader was too slow: `count` events are missing here."""

    count: int


# -- nodes -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class NodeEvent(Event):
    """Something about one node, whose number is `node`."""

    node: int


@dataclass(frozen=True, slots=True)
class NodeStarting(NodeEvent):
    """A machine, or a process, was asked for; it will have this `address`."""

    address: str


@dataclass(frozen=True, slots=True)
class NodePhase(NodeEvent):
    """It got a step further on its way to being ready, or its link broke or is mended.

    Attributes
    ----------
    phase
        The step, or ``not reachable (WHY)``, or ``reachable again``.
    """

    phase: str


@dataclass(frozen=True, slots=True)
class NodeReady(NodeEvent):
    """It takes tasks, at this `address`."""

    address: str


@dataclass(frozen=True, slots=True)
class NodeLost(NodeEvent):
    """It is gone though nobody asked it to go, and `why`; tasks that may be repeated go to other nodes."""

    why: str


@dataclass(frozen=True, slots=True)
class NodeReplaced(NodeEvent):
    """Another one is ready in the place of one that was lost: the `count`-th on this number within an hour."""

    count: int


@dataclass(frozen=True, slots=True)
class NodeGivenUp(NodeEvent):
    """It is not started again, and the pool goes on without it.

    Attributes
    ----------
    losses
        How often it was lost within an hour; 0 when it could not be started.
    why
        What ended it the last time.
    """

    losses: int
    why: str

    @property
    def sentence(self) -> str:
        """The same for a person."""
        why = self.why.partition("\n")[0]
        what = f"was lost {self.losses} times within an hour, now {why}"
        return f"node {self.node} {what if self.losses else f'could not be started ({why})'}; {_WITHOUT}"


_WITHOUT = "the pool goes on without it"


@dataclass(frozen=True, slots=True)
class NodeStopped(NodeEvent):
    """It went because the pool shrank or ended."""


@dataclass(frozen=True, slots=True)
class Metric(NodeEvent):
    """What it measures of itself, about twice a second while somebody listens for this event.

    Attributes
    ----------
    cpu, memory
        In percent of one core, and in MiB.
    running, done, busy
        Tasks it runs, tasks that have ended on it, slots in use.
    gpus
        The GPUs it may use, read every other second: of each its `index`, `memory` in use and `total` in MiB, `busy`
        in percent of the time, `temperature` and `power` in watts; None is what the driver does not say.
    """

    cpu: float
    memory: float
    running: int
    done: int
    busy: int
    gpus: tuple[GpuLoad, ...] = ()


@dataclass(frozen=True, slots=True)
class LogLine(NodeEvent):
    """Text from a node.

    Attributes
    ----------
    task
        The task that wrote it; 0 for the node itself.
    stream
        ``stdout`` or ``stderr`` of a task, ``node`` for what the node says of itself.
    text
        As it came: perhaps several lines, perhaps a part of one.
    """

    task: int
    stream: str
    text: str


# -- tasks -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class TaskTimes:
    """When one task was where, in seconds since the epoch by this machine's clock.

    Clocks of machines are not compared: of the node only the duration is taken. A task counts as ended half the
    shortest turnaround of its node before its end arrived here, and as begun its duration before that.

    Attributes
    ----------
    task, name
        Its number in the pool, and the name of its function; a cell is ``cell``.
    node
        Where it ended.
    queued, sent, began, ended, received
        When it was called, left this process, began and ended on the node, and when its result was here.
    error
        The type of the error it ended with; empty when it returned.
    tries
        On how many nodes it was begun: more than one when nodes were lost with it.
    cell
        The number of the notebook's cell that ran when it was called; 0 outside of a notebook.
    """

    task: int
    name: str
    node: int
    queued: float
    sent: float
    began: float
    ended: float
    received: float
    error: str = ""
    tries: int = 1
    cell: int = 0

    @property
    def seconds(self) -> float:
        """How long it ran on the node."""
        return self.ended - self.began


@dataclass(frozen=True, slots=True)
class TaskEvent(Event):
    """Something about one task: `task` is its number, `name` its function's."""

    task: int
    name: str


@dataclass(frozen=True, slots=True)
class TaskQueued(TaskEvent):
    """It was called, and waits for a node."""


@dataclass(frozen=True, slots=True)
class TaskSent(TaskEvent):
    """It goes to this `node`, where it runs as soon as a slot is free."""

    node: int


@dataclass(frozen=True, slots=True)
class TaskDone(TaskEvent):
    """It ended, on this `node` (-1: on none); `error` is the type of its error, or empty; `times` is None on none."""

    node: int
    error: str
    times: TaskTimes | None


@dataclass(frozen=True, slots=True)
class TaskRetried(TaskEvent):
    """The `node` was lost with it, and `why`; it waits for another one, and was begun on `tries` nodes so far."""

    node: int
    tries: int
    why: str


def __dir__() -> list[str]:
    return __all__
