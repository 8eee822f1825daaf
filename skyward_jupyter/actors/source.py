"""The seam between a pool and what shows it.

A `PanelSource` is the pool's side: it describes itself and takes commands. A `PanelView` is what a
widget offers in return. Neither imports the other's module; both import this one.

Threads: every method of `PanelSource` may be called from any thread and returns at once, because a
front end's messages may arrive on a subshell thread with another event loop. The methods of
`PanelView` are called on the runtime's own loop only.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, Protocol, TypedDict

type NodeState = Literal["idle", "waiting", "active", "lost"]
type Detach = Callable[[], None]

OVER = frozenset({"stopped", "failed", "taken"})
"""The states of a pool that nothing follows."""

STATES: tuple[NodeState, ...] = ("idle", "waiting", "active", "lost")
"""The states of a node; a state's place is its code in `Delta.rows`."""

COLUMNS = ("state", "cpu", "memory", "running", "done", "busy")
"""The columns of `Delta.rows`, in order."""


class NodeRow(TypedDict):
    """One node's slow state.

    `log` holds the last lines of the node's boot log, oldest first; `pid` is 0 while no process is
    known.
    """

    rank: int
    state: NodeState
    phase: str
    address: str
    pid: int
    slots: int
    log: list[str]


class Snapshot(TypedDict):
    """A pool's slow state: JSON throughout, so it is a widget trait as it stands.

    `started` is in seconds since the epoch. `note` is one sentence about what goes on, or empty.
    `smallest` and `largest` bound what `scale` takes.
    """

    pool: str
    provider: str
    state: str
    note: str
    started: float
    nodes: list[NodeRow]
    smallest: int
    largest: int


@dataclass(frozen=True, slots=True)
class Delta:
    """The live numbers of one tick.

    `rows` is float32, little endian, one row of `COLUMNS` per node in the order of the last
    snapshot: the code of its state, CPU in percent of one core, memory in MiB, tasks running, tasks
    done, slots busy. `rate` is in tasks finished per second, `at` in seconds since the epoch.
    """

    seq: int
    at: float
    queued: int
    rate: float
    rows: bytes

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

    def command(self, view: PanelView, command: Mapping[str, object]) -> None:
        """Carry out a page's command, or `refuse` it on `view`.

        The commands are `{"kind": "scale", "nodes": n}`, `{"kind": "interrupt"}` and
        `{"kind": "stop"}`. They come from a page, so nothing about their shape is certain.
        """
        ...
