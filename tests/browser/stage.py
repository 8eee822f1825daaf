"""A bare page on which the dashboard is rendered against a mock model."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, Route

from skyward_jupyter.actors.source import STATES, NodeRow, NodeState, Snapshot
from skyward_jupyter.widgets.dashboard import STATIC, built

HOST = "http://widgets.test"
MOCK = Path(__file__).with_name("mock.html")
KINDS = {".js": "text/javascript", ".css": "text/css", ".html": "text/html"}


def node(rank: int, state: NodeState = "idle", phase: str = "ready") -> NodeRow:
    """A node as a local pool has it."""
    log = ["12:00:01 forked from the template", f"12:00:01 joined the cluster as node {rank}", "12:00:01 1 slot ready"]
    return NodeRow(
        rank=rank, state=state, phase=phase, address=f"127.0.1.{rank + 1}:25520", pid=4000 + rank, slots=1, log=log
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
class Stage:
    """The page and its mock model."""

    page: Page
    seq: int = 0
    at: float = field(default_factory=time.time)

    def __post_init__(self) -> None:
        if not built():
            pytest.skip("the widgets are not built; `make` builds them")
        self.page.route(f"{HOST}/**", self._serve)
        self.page.goto(f"{HOST}/mock.html")
        self.page.wait_for_function("window.ready")

    @property
    def panel(self) -> Locator:
        return self.page.locator(".skyward-dashboard")

    def render(self, shown: Snapshot, **traits: object) -> None:
        """Render the dashboard of `shown`."""
        self.page.evaluate("values => mock.render(values)", self._traits(shown) | {"last": {}, "ended": 0} | traits)

    def update(self, shown: Snapshot, **traits: object) -> None:
        """Set the traits as the kernel would."""
        self.page.evaluate("values => mock.set(values)", self._traits(shown) | traits)

    def delta(self, rows: list[list[float]], *, queued: int = 0, rate: float = 0.0, after: float = 0.1) -> None:
        """Send live numbers, `after` seconds after the last ones."""
        self.seq += 1
        self.at += after
        content = {"kind": "delta", "seq": self.seq, "at": self.at, "queued": queued, "rate": rate}
        self.page.evaluate("([content, rows]) => mock.custom(content, rows)", [content, rows])

    def minute(self, shown: Snapshot) -> None:
        """Send a minute of live numbers, so that every part of the dashboard has something to show."""
        for step in range(120):
            rate = 42 + 18 * math.sin(step / 9) + 6 * math.sin(step / 2.3)
            self.delta(numbers(shown, step / 7), queued=37, rate=rate, after=0.5)

    def refuse(self, sentence: str) -> None:
        self.page.evaluate("sentence => mock.custom({kind: 'refusal', sentence}, [])", sentence)

    def sent(self, kind: str) -> list[dict[str, object]]:
        """Return what the page sent of one kind so far."""
        return [content for content in self.page.evaluate("mock.sent") if content["kind"] == kind]

    def until_sent(self, kind: str, count: int = 1) -> list[dict[str, object]]:
        """Wait until the page has sent `count` messages of one kind, and return them."""
        enough = "([kind, count]) => mock.sent.filter(sent => sent.kind === kind).length >= count"
        self.page.wait_for_function(enough, arg=[kind, count], timeout=5000)
        return self.sent(kind)

    @staticmethod
    def _traits(shown: Snapshot) -> dict[str, object]:
        return {"snapshot": shown, "logs": {str(row["rank"]): row["log"] for row in shown["nodes"]}}

    @staticmethod
    def _serve(route: Route) -> None:
        path = route.request.url.removeprefix(HOST)
        file = STATIC / path.removeprefix("/static/") if path.startswith("/static/") else MOCK
        route.fulfill(body=file.read_bytes(), content_type=KINDS[file.suffix])
