"""A pool for the dashboard to show, with nothing behind it: runs in a notebook's kernel."""

from __future__ import annotations

import asyncio
import math
import struct
import time
from collections.abc import Callable, Mapping
from typing import Any

from skyward_jupyter.actors.source import STATES, Delta, Ended, NodeRow, NodeState, PanelView, Snapshot
from skyward_jupyter.events import Event
from skyward_jupyter.widgets.dashboard import show
from skyward_jupyter.widgets.view import Bundle

PHASES: dict[NodeState, str] = {
    "idle": "ready",
    "waiting": "joining the cluster",
    "active": "running",
    "lost": "no heartbeat for 5 s",
}
PATTERN: tuple[NodeState, ...] = ("active", "active", "idle", "active", "active", "waiting", "active", "lost")
LOG = ["forked from the template", "joined the cluster", "1 slot ready"]


class Source:
    """A `PanelSource` of `size` nodes; it obeys the page and keeps what was asked in `commands`."""

    def __init__(self, size: int) -> None:
        self.seen = False
        self.state = "ready"
        self.commands: list[dict[str, object]] = []
        self._view: PanelView | None = None
        self._feeding: asyncio.Task[None] | None = None
        self._loop = asyncio.get_running_loop()
        self._started = time.time() - 95
        self._scale(size)

    def snapshot(self) -> Snapshot:
        return Snapshot(
            pool="brisk-otter",
            provider="local",
            state=self.state,
            note="",
            started=self._started,
            nodes=self._nodes,
            smallest=1,
            largest=16,
            limit="it was started with nodes=(1, 16)",
            ended=(0, 0, 0),
            per_hour=0.0,
            so_far=0.0,
        )

    def attach(self, view: PanelView) -> Callable[[], None]:
        self._view = view
        return lambda: None

    def visible(self, view: PanelView, visible: bool) -> None:
        self._loop.call_soon_threadsafe(self._look, view, visible)

    def draw(self, view: PanelView, after: int | None) -> None:
        """It has no tasks."""

    def ended(self) -> Ended:
        return Ended(0, ())

    def listen(self, kinds: tuple[type[Event], ...], callback: Callable[[Any], object]) -> None:
        """It has no events."""

    def command(self, view: PanelView, command: Mapping[str, object]) -> None:
        self._loop.call_soon_threadsafe(self._obey, view, dict(command))

    def _scale(self, size: int) -> None:
        self._nodes = [_node(rank) for rank in range(size)]

    def _look(self, view: PanelView, visible: bool) -> None:
        self.seen = visible
        if visible and self._feeding is None:
            self._feeding = self._loop.create_task(self._feed(view))

    def _obey(self, view: PanelView, command: dict[str, Any]) -> None:
        self.commands.append(command)
        match command:
            case {"kind": "scale", "nodes": int(nodes)} if nodes > 16:
                view.refuse(f"this pool has at most 16 nodes; {nodes} were asked for")
            case {"kind": "scale", "nodes": int(nodes)}:
                self._scale(nodes)
                view.show(self.snapshot())
            case {"kind": "stop"}:
                self.state = "stopped"
                view.close(self.snapshot())

    async def _feed(self, view: PanelView) -> None:
        seq = 0
        while self.seen and self.state == "ready":
            seq += 1
            rows = b"".join(struct.pack("<6f", *_numbers(node, seq)) for node in self._nodes)
            rate = 42 + 18 * math.sin(seq / 9)
            view.delta(Delta(seq=seq, at=time.time(), queued=37, rate=rate, rows=rows))
            await asyncio.sleep(0.1)
        self._feeding = None


class Pool:
    """Displays its source as a pool does."""

    def __init__(self, source: Source) -> None:
        self.source = source

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> Bundle:
        return show(self.source)


def _node(rank: int) -> NodeRow:
    state = PATTERN[rank % len(PATTERN)]
    address = f"127.0.1.{rank + 1}:25520"
    return NodeRow(
        rank=rank,
        state=state,
        phase=PHASES[state],
        since=0.0,
        said="",
        reachable=True,
        address=address,
        pid=4100 + rank,
        slots=1,
        log=LOG,
    )


def _numbers(node: NodeRow, seq: int) -> tuple[float, ...]:
    active, rank = node["state"] == "active", node["rank"]
    cpu = 55 + 44 * math.sin(rank * 1.7 + seq / 9) if active else 1.0
    return STATES.index(node["state"]), cpu, 96 + 37.0 * (rank % 5), float(active), seq + 13 * rank, float(active)
