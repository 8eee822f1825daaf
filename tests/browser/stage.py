"""A bare page on which the dashboard is rendered against a mock model."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field
from typing import Any

from playwright.sync_api import Locator

from skyward_jupyter.actors.source import STATES, NodeRow, NodeState, Snapshot
from tests.browser.bare import BarePage


def node(rank: int, state: NodeState = "idle", phase: str = "ready") -> NodeRow:
    """A node as a local pool has it."""
    log = ["12:00:01 forked from the template", f"12:00:01 joined the cluster as node {rank}", "12:00:01 1 slot ready"]
    return NodeRow(
        rank=rank,
        state=state,
        phase=phase,
        since=0.0,
        said="",
        reachable=True,
        address=f"127.0.1.{rank + 1}:25520",
        pid=4000 + rank,
        slots=1,
        log=log,
    )


def snapshot(*nodes: NodeRow, **changes: Any) -> Snapshot:
    """A ready local pool of `nodes`."""
    base = Snapshot(
        pool="brisk-otter",
        provider="local",
        state="ready",
        note="",
        started=time.time() - 254,
        nodes=list(nodes),
        smallest=1,
        largest=16,
        limit="it was started with nodes=(1, 16)",
        ended=(0, 0, 0),
        per_hour=0.0,
        so_far=0.0,
    )
    return {**base, **changes}  # type: ignore[typeddict-item]


def mixed(count: int) -> list[NodeRow]:
    """`count` nodes in every state, most of them active."""
    states: list[NodeState] = ["active", "active", "idle", "active", "active", "waiting", "active", "idle"]
    phases = {"active": "running", "idle": "ready", "waiting": "joining the cluster", "lost": "no heartbeat for 5 s"}
    nodes = [node(rank, states[rank % 8], phases[states[rank % 8]]) for rank in range(count)]
    if count > 8:
        nodes[11 % count] = node(11 % count, "lost", phases["lost"])
    return nodes


def numbers(shown: Snapshot, at: float = 0.0) -> list[list[float]]:
    """Plausible live numbers for the nodes of a snapshot."""
    rows = []
    for place, row in enumerate(shown["nodes"]):
        active = row["state"] == "active"
        cpu = 55 + 44 * math.sin(place * 1.7 + at) if active else 1.5
        memory = 0.0 if row["state"] in {"waiting", "lost"} else 96 + 37.0 * (place % 5) + (600 if active else 0)
        rows.append([STATES.index(row["state"]), cpu, memory, float(active), 120 + 13 * place, float(active)])
    return rows


@dataclass
class Stage(BarePage):
    """The page with the dashboard's model."""

    family: str = "dashboard"
    seq: int = 0
    at: float = field(default_factory=time.time)

    @property
    def panel(self) -> Locator:
        return self.root

    def show(self, shown: Snapshot, **traits: object) -> None:
        """Render the dashboard of `shown`."""
        self.render(**self._traits(shown) | {"last": {}, "ended": 0} | traits)

    def change(self, shown: Snapshot, **traits: object) -> None:
        """Set the traits as the kernel would."""
        self.update(**self._traits(shown) | traits)

    def delta(
        self,
        rows: list[list[float]],
        *,
        queued: int = 0,
        rate: float = 0.0,
        after: float = 0.1,
        **more: object,
    ) -> None:
        """Send live numbers, `after` seconds after the last ones."""
        self.seq += 1
        self.at += after
        content = {"kind": "delta", "seq": self.seq, "at": self.at, "queued": queued, "rate": rate}
        content |= {"ended": [sum(row[4] for row in rows), 0, 0], **more}
        self.message(content, rows)

    def tasks(self, header: dict[str, object], rows: bytes) -> None:
        """Send tasks that ended, with a delta that has nothing new otherwise."""
        self.seq += 1
        content = {"kind": "delta", "seq": self.seq, "at": self.at, "queued": 0, "rate": 0, "tasks": header}
        self.message(content, [], rows)

    def minute(self, shown: Snapshot) -> None:
        """Send a minute of live numbers, so that every part of the dashboard has something to show."""
        for step in range(120):
            rate = 42 + 18 * math.sin(step / 9) + 6 * math.sin(step / 2.3)
            self.delta(numbers(shown, step / 7), queued=37, rate=rate, after=0.5)

    def refuse(self, sentence: str) -> None:
        self.message({"kind": "refusal", "sentence": sentence})

    @staticmethod
    def _traits(shown: Snapshot) -> dict[str, object]:
        return {"snapshot": shown, "logs": {str(row["rank"]): row["log"] for row in shown["nodes"]}}
