"""What is told of a pool in lines, and what is not worth one."""

from __future__ import annotations

import time

import pytest

from skyward_jupyter.actors.source import NodeRow, Snapshot
from skyward_jupyter.terminal import teller as module
from skyward_jupyter.terminal.teller import Teller
from tests.unit.widgets.fakes import node, snapshot

UP, DOWN = node(1), node(1, state="waiting", phase="starting")


def pool(*nodes: NodeRow, **changes: object) -> Snapshot:
    return snapshot(*nodes, **{"started": time.time(), **changes})


def lost(rank: int, why: str = "signal 9") -> str:
    return f"node {rank} was lost ({why}) and is being replaced"


@pytest.fixture
def said() -> list[str]:
    return []


async def test_what_goes_well_and_is_quick_is_not_told(said: list[str]) -> None:
    teller = Teller(said.append)
    teller.show(pool(state="starting"))
    teller.show(pool(node(0), UP))
    teller.show(pool(node(0)))
    teller.close(pool(state="stopped"))
    assert said == []


async def test_everything_is_told_where_it_is_asked_for(said: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "EAGER", 0.0)
    teller = Teller(said.append, everything=True)
    starting = pool(node(0, state="waiting"), DOWN, state="starting")
    teller.show(starting)
    teller._still_starting()
    teller.show(pool(node(0), UP))
    teller.show(pool(node(0), UP, node(2, state="waiting")))
    teller.show(pool(node(0), UP, node(2)))
    teller.close(pool(state="stopped"))
    assert said == [
        "pool lab: starting 2 nodes",
        "pool lab: 2 nodes ready in 0.0 s",
        "pool lab: 3 nodes now",
        "pool lab: stopped after 0s",
    ]


async def test_a_slow_start_is_told_and_then_its_end(said: list[str]) -> None:
    slow = time.time() - 5
    teller = Teller(said.append)
    teller.show(pool(node(0, state="waiting"), state="starting", started=slow))
    teller.show(pool(node(0), started=slow))
    teller.close(pool(state="stopped", started=slow))
    assert said == ["pool lab: 1 node ready in 5.0 s", "pool lab: stopped after 5s"]


async def test_where_it_is_drawn_starts_and_ends_are_not_told(said: list[str]) -> None:
    slow = time.time() - 5
    teller = Teller(said.append, drawn=True)
    teller.show(pool(DOWN, state="starting", started=slow))
    teller.show(pool(UP, started=slow))
    teller.show(pool(DOWN, note=lost(1)))
    teller.close(pool(state="stopped", started=slow))
    assert said == ["pool lab: node 1 was lost (signal 9), another is started"]


async def test_a_loss_is_told_once_and_so_is_the_return(said: list[str]) -> None:
    teller = Teller(said.append)
    for shown in (
        pool(node(0), UP),
        pool(node(0), node(1, state="lost", phase="signal 9"), note=lost(1)),
        pool(node(0), DOWN, note=lost(1)),
        pool(node(0), {**DOWN, "phase": "joining"}, note=lost(1)),
        pool(node(0), UP, note=lost(1)),
        pool(node(0), UP, note=lost(1)),
    ):
        teller.show(shown)
    assert said == ["pool lab: node 1 was lost (signal 9), another is started", "pool lab: node 1 is back"]


async def test_a_second_loss_for_the_same_reason_is_told_again(said: list[str]) -> None:
    teller = Teller(said.append)
    for note in ("", lost(1)):
        teller.show(pool(UP, note=note))
        teller.show(pool(DOWN, note=lost(1)))
    assert [line for line in said if "was lost" in line] == said[::2]
    assert len(said) == 3


async def test_a_node_lost_before_it_was_seen_up_is_told(said: list[str]) -> None:
    teller = Teller(said.append)
    teller.show(pool(node(0), DOWN, note=lost(1)))
    assert said == ["pool lab: node 1 was lost (signal 9), another is started"]


async def test_a_node_replaced_between_two_looks_is_told(said: list[str]) -> None:
    teller = Teller(said.append)
    for pid in (101, 102, 103):
        teller.show(pool(node(0), node(1, pid=pid), note="" if pid == 101 else lost(1)))
    assert said == 2 * ["pool lab: node 1 was lost (signal 9), another is started", "pool lab: node 1 is back"]


async def test_nodes_lost_together_are_one_line(said: list[str]) -> None:
    teller = Teller(said.append)
    teller.show(pool(*(node(rank) for rank in range(4))))
    why = "the template process ended"
    teller.show(pool(*(node(rank, state="lost", phase=why) for rank in range(4)), note=lost(3, why)))
    teller.show(pool(*(node(rank, state="waiting") for rank in range(4)), note=lost(3, why)))
    teller.show(pool(*(node(rank) for rank in range(4)), note=lost(3, why)))
    assert said == [
        "pool lab: nodes 0-3 were lost (the template process ended), others are started",
        "pool lab: nodes 0-3 are back",
    ]


async def test_nodes_that_leave_are_no_loss(said: list[str]) -> None:
    teller = Teller(said.append)
    teller.show(pool(node(0), UP))
    teller.show(pool(node(0), node(1, state="lost", phase="signal 9")))
    teller.show(pool(node(0)))
    teller.show(pool(node(0), DOWN, state="stopping"))
    assert said == []


async def test_a_node_that_is_given_up_is_told(said: list[str]) -> None:
    note = "node 1 could not be started (signal 9); the pool goes on without it"
    teller = Teller(said.append)
    teller.show(pool(node(0), note=note))
    teller.show(pool(node(0), note=note))
    assert said == [f"pool lab: {note}"]
