"""A bare page on which the live view of a run is rendered against a mock model."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from playwright.sync_api import Locator

from skyward_jupyter.notebook.bars import Bars, facts
from skyward_jupyter.widgets.runsource import RunSnapshot
from skyward_jupyter.wire.progress import Bar
from tests.browser.bare import BarePage

type Row = tuple[str, int, str]


def snapshot(count: int = 8, **changes: Any) -> RunSnapshot:
    """A run on some nodes."""
    base = RunSnapshot(
        title="history = train(epochs=50)",
        state="running",
        started=time.time() - 42,
        seconds=0.0,
        nodes=[(rank, "running", "") for rank in range(count)],
        stops=0,
    )
    return {**base, **changes}  # type: ignore[typeddict-item]


def mixed() -> RunSnapshot:
    """A run whose nodes are in every state."""
    nodes = [(rank, "running", "") for rank in range(8)]
    nodes[1], nodes[6] = (1, "done", ""), (6, "queued", "")
    nodes[4] = (4, "failed", "ValueError: the loss is not a number")
    return snapshot(nodes=nodes)


def progress() -> dict[str, Any]:
    """What the bars of eight nodes look like to a page: an outer one, one inside it, and one without an end."""
    bars = Bars()
    for rank in range(8):
        speed = 30 + 3 * rank
        n = 12.0 * speed
        outer = Bar("a", "running", n, 1000, 12.0, speed, "train", note="loss=0.13")
        inner = Bar("b", "stopped" if rank == 3 else "running", 4 + rank, 20, 0.4, 20.0 + rank, "epoch 7")
        bars.take(
            rank, [outer, inner, Bar("c", "running", n * 4096, None, 12.0, 4096.0 * speed, "read", "B", scale=True)]
        )
    return {"groups": [dict(facts(group)) for group in bars.groups()], "texts": ["[2] 40% |####      | by other means"]}


def lines(count: int, start: int = 0) -> list[Row]:
    """Output of eight nodes; every seventh line goes to stderr, every fifth is of all nodes."""
    rows: list[Row] = []
    for number in range(start, start + count):
        ranks = "0-7" if number % 5 == 0 else str(number % 8)
        rows.append((ranks, int(number % 7 == 3), f"line {number}: step {number * 10} loss {1 / (number + 1):.5f}"))
    return rows


@dataclass
class RunStage(BarePage):
    """The page with a run's model."""

    family: str = "run"
    seq: int = 0

    @property
    def panel(self) -> Locator:
        return self.root

    @property
    def log(self) -> Locator:
        return self.root.locator(".lines")

    def show(self, shown: RunSnapshot, *, opened: bool = True, name: str = "a run") -> None:
        """Render the view of `shown`."""
        self.render(snapshot=shown, opened=opened, name=name)

    def delta(self, **content: object) -> None:
        """Send a delta."""
        self.seq += 1
        self.message({"kind": "delta", "seq": self.seq, "at": time.time(), **content})

    def write(self, rows: Sequence[Row], start: int = 0, *, first: int = 0, end: int = 0, missing: int = 0) -> None:
        """Send lines from number `start` on."""
        pieces = [[start, [list(row) for row in rows]]] if rows else []
        self.delta(rows=pieces, log=[first, end or start + len(rows), missing])
