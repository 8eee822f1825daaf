"""A pool's side of the panel that keeps what is asked of it."""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from skyward_jupyter.actors.source import Delta, Ended, NodeRow, PanelView, Snapshot
from skyward_jupyter.events import Event, TaskTimes


def node(rank: int, **changes: object) -> NodeRow:
    base = NodeRow(
        rank=rank,
        state="idle",
        phase="ready",
        since=0.0,
        said="",
        reachable=True,
        address=f"127.0.1.{rank}:25520",
        pid=100 + rank,
        slots=1,
        log=["up"],
    )
    return {**base, **changes}  # type: ignore[typeddict-item]


def snapshot(*nodes: NodeRow, **changes: object) -> Snapshot:
    base = Snapshot(
        pool="lab",
        provider="local",
        state="ready",
        note="",
        started=1_000_000.0,
        nodes=list(nodes),
        smallest=1,
        largest=8,
        limit="it was started with nodes=(1, 8)",
        ended=(0, 0, 0),
        per_hour=0.0,
        so_far=0.0,
    )
    return {**base, **changes}  # type: ignore[typeddict-item]


def delta(*rows: tuple[float, ...], seq: int = 1) -> Delta:
    packed = b"".join(struct.pack("<6f", *row) for row in rows)
    done = int(sum(row[4] for row in rows))
    return Delta(seq=seq, at=1_000_010.0, queued=3, rate=1.5, rows=packed, tally=(done, 0, 0))


@dataclass
class Source:
    """A `PanelSource` in memory."""

    current: Snapshot
    views: list[PanelView] = field(default_factory=list)
    seen: list[bool] = field(default_factory=list)
    commands: list[dict[str, object]] = field(default_factory=list)
    drawn: list[int | None] = field(default_factory=list)
    kinds: tuple[type[Event], ...] = ()
    times: list[TaskTimes] = field(default_factory=list)

    def snapshot(self) -> Snapshot:
        return self.current

    def attach(self, view: PanelView) -> Callable[[], None]:
        self.views.append(view)
        return lambda: self.views.clear()

    def visible(self, view: PanelView, visible: bool) -> None:
        self.seen.append(visible)

    def draw(self, view: PanelView, after: int | None) -> None:
        self.drawn.append(after)

    def ended(self) -> Ended:
        return Ended(0, self.times)

    def listen(self, kinds: tuple[type[Event], ...], callback: Callable[[Any], object]) -> None:
        self.kinds += kinds

    def command(self, view: PanelView, command: Mapping[str, object]) -> None:
        self.commands.append(dict(command))
