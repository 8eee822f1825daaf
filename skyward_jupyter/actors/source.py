"""The seam between a pool and what shows it.

A `PanelSource` is the pool's side: it describes itself and takes commands. A `PanelView` is what a
widget offers in return. Neither imports the other's module; both import this one.

Threads: every method of `PanelSource` may be called from any thread and returns at once, because a
front end's messages may arrive on a subshell thread with another event loop. The methods of
`PanelView` are called on the runtime's own loop only.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NotRequired, Protocol, TypedDict

from skyward_jupyter.actors.ongoing import Ongoing
from skyward_jupyter.agent.accelerators import GpuLoad
from skyward_jupyter.events import Event, TaskTimes

type NodeState = Literal["idle", "waiting", "active", "lost"]
type Detach = Callable[[], None]

OVER = frozenset({"stopped", "failed", "taken"})
"""The states of a pool that nothing follows."""

STATES: tuple[NodeState, ...] = ("idle", "waiting", "active", "lost")
"""The states of a node; a state's place is its code in `Delta.rows`."""

COLUMNS = ("state", "cpu", "memory", "running", "done", "busy")
"""The columns of `Delta.rows`, in order."""

MOST = 2000
"""The most tasks that one delta brings."""


class NodeRow(TypedDict):
    """One node's slow state.

    `since` is when its phase began, in seconds since the epoch, and `said` the last line that it wrote. One that is not
    `reachable` is behind a link that is broken, or lacks room for its slots. `log` holds the last lines of the node's
    boot log, oldest first; `pid` is 0 while no process is known.
    """

    rank: int
    state: NodeState
    phase: str
    since: float
    said: str
    reachable: bool
    address: str
    pid: int
    slots: int
    log: list[str]


class Snapshot(TypedDict):
    """A pool's slow state: JSON throughout, so it is a widget trait as it stands.

    `started` is in seconds since the epoch. `note` is one sentence about what goes on, or empty.
    `smallest` and `largest` bound what `scale` takes, and `limit` says why not more. What it costs is in US dollars.
    `ended` is how many tasks are done, have failed and were cancelled since the pool began, also on nodes that have
    left and for kernels that drove it before. `active` says of one of several pools whether it is the active one.
    """

    pool: str
    provider: str
    state: str
    note: str
    started: float
    nodes: list[NodeRow]
    smallest: int
    largest: int
    limit: str
    ended: tuple[int, int, int]
    per_hour: float
    so_far: float
    active: NotRequired[bool | None]


@dataclass(frozen=True, slots=True)
class Ended:
    """Tasks that ended one after another; `first` says how many of the pool ended before them."""

    first: int
    times: Sequence[TaskTimes]


@dataclass(frozen=True, slots=True)
class Delta:
    """The live numbers of one tick.

    `rows` is float32, little endian, one row of `COLUMNS` per node in the order of the last
    snapshot: the code of its state, CPU in percent of one core, memory in MiB, tasks running, tasks
    done, slots busy. `rate` is in tasks finished per second, `at` in seconds since the epoch, `so_far` what the pool
    has cost. `tally` is how tasks ended, as of `Snapshot.ended`, and `faults` those that failed and that were cancelled
    on the nodes that had any, by rank. `ended` are the tasks that ended since the last delta, for a view that wants
    them, and `ongoing` those that run or wait. `gpus` has the GPUs of the nodes that have any, by rank.
    """

    seq: int
    at: float
    queued: int
    rate: float
    rows: bytes
    so_far: float = 0.0
    ended: Ended | None = None
    gpus: Mapping[int, Sequence[GpuLoad]] = field(default_factory=dict)
    tally: tuple[int, int, int] = (0, 0, 0)
    ongoing: Sequence[Ongoing] | None = None
    faults: Mapping[int, tuple[int, int]] = field(default_factory=dict)

    def table(self) -> list[tuple[float, ...]]:
        """Decode `rows`: one tuple of `COLUMNS` per node."""
        return list(struct.iter_unpack(f"<{len(COLUMNS)}f", self.rows))


class PanelView(Protocol):
    """Something that shows a pool. Called on the runtime's loop only."""

    def show(self, snapshot: Snapshot) -> None:
        """Take the pool's slow state: at each change, and at most ten times a second."""
        ...

    def delta(self, delta: Delta) -> None:
        """Take live numbers: at most ten times a second, and only while the view is visible."""
        ...

    def refuse(self, sentence: str) -> None:
        """Say why a command was not carried out."""
        ...

    def close(self, snapshot: Snapshot) -> None:
        """Take the final state: the pool is over and nothing follows."""
        ...


class PanelSource(Protocol):
    """A pool, as its views see it. Callable from any thread; nothing here waits."""

    def snapshot(self) -> Snapshot:
        """Describe the pool as it is now."""
        ...

    def attach(self, view: PanelView) -> Detach:
        """Feed `view` until the returned function is called; calling that twice does no harm."""
        ...

    def visible(self, view: PanelView, visible: bool) -> None:
        """Say whether `view` is on somebody's screen: numbers are pulled only while one is."""
        ...

    def draw(self, view: PanelView, after: int | None) -> None:
        """Send `view` the tasks that ended after the first `after` of the pool with its deltas; with None, no more.

        Of more than `MOST`, only the last come.
        """
        ...

    def ended(self) -> Ended:
        """The last `MOST` tasks that ended."""
        ...

    def listen(self, kinds: tuple[type[Event], ...], callback: Callable[[Any], object]) -> None:
        """Call `callback` on the runtime's loop with each event of `kinds`, until the pool is over."""
        ...

    def command(self, view: PanelView, command: Mapping[str, object]) -> None:
        """Carry out a page's command, or `refuse` it on `view`.

        The commands are `{"kind": "scale", "nodes": n}`, `{"kind": "interrupt"}` and
        `{"kind": "stop"}`. They come from a page, so nothing about their shape is certain.
        """
        ...
