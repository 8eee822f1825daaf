"""How many nodes an elastic pool should have, without a pool."""

from __future__ import annotations

import pytest

from skyward_jupyter.actors.elastic import Bounds, Demand, Idleness, grown
from skyward_jupyter.actors.placing import Placer

BOUNDS = Bounds(0, 16, 60.0)


def demand(
    queued: int = 0,
    *,
    seconds: float = 0.0,
    stalled: float = 0.0,
    ready: int = 2,
    nodes: int | None = None,
    slots: int = 1,
    start: float = 1.0,
) -> Demand:
    return Demand(queued, stalled, seconds, ready if nodes is None else nodes, ready, slots, start)


def test_an_empty_queue_changes_nothing() -> None:
    assert grown(BOUNDS, demand(0, seconds=10.0)) == 2
    assert grown(BOUNDS, demand(0, ready=0)) == 0


def test_the_first_task_brings_the_first_node() -> None:
    assert grown(BOUNDS, demand(1, ready=0)) == 1
    assert grown(BOUNDS, demand(500, ready=0, stalled=30.0)) == 1


def test_known_work_at_zero_brings_what_it_needs() -> None:
    assert grown(BOUNDS, demand(8, ready=0, seconds=10.0)) == 8


def test_work_that_ends_before_a_node_is_ready_brings_none() -> None:
    assert grown(BOUNDS, demand(1000, seconds=0.001)) == 2
    assert grown(BOUNDS, demand(10, seconds=5.0, start=60.0)) == 2


def test_long_work_brings_a_node_for_each_task_up_to_the_bound() -> None:
    assert grown(BOUNDS, demand(5, seconds=60.0)) == 7
    assert grown(BOUNDS, demand(5, seconds=60.0, slots=4)) == 4
    assert grown(BOUNDS, demand(500, seconds=60.0)) == 16


def test_short_work_brings_only_what_is_kept_busy() -> None:
    assert grown(BOUNDS, demand(100, seconds=0.1, start=4.0)) == 3
    assert grown(BOUNDS, demand(1000, seconds=0.1, start=4.0)) == 16


def test_a_queue_that_does_not_move_shows_that_tasks_are_long() -> None:
    assert grown(BOUNDS, demand(8, stalled=0.1)) == 2
    assert grown(BOUNDS, demand(8, stalled=0.5)) == 4
    assert grown(BOUNDS, demand(8, stalled=3.0)) == 10


def test_nodes_on_their_way_are_counted() -> None:
    assert grown(BOUNDS, demand(8, seconds=60.0, ready=2, nodes=10)) == 10


@pytest.mark.parametrize("queued", [0, 1, 10, 10_000])
@pytest.mark.parametrize("seconds", [0.0, 1e-9, 1.0, 1e9])
@pytest.mark.parametrize("ready", [0, 1, 16])
def test_it_stays_between_its_bounds(queued: int, seconds: float, ready: int) -> None:
    wanted = grown(BOUNDS, demand(queued, seconds=seconds, ready=ready))
    assert ready <= wanted <= 16


def test_a_node_is_idle_from_its_last_task_on() -> None:
    idle = Idleness()
    assert idle.look(3, busy=False, done=0, now=10.0) == 0.0
    assert idle.look(3, busy=False, done=0, now=15.0) == 5.0
    assert idle.look(3, busy=True, done=0, now=16.0) == 0.0
    assert idle.look(3, busy=False, done=1, now=20.0) == 0.0
    assert idle.look(3, busy=False, done=1, now=24.0) == 4.0
    assert idle.look(3, busy=False, done=2, now=25.0) == 0.0


def test_idleness_counts_anew_when_asked_and_after_a_node_was_away() -> None:
    idle = Idleness()
    for rank in (0, 1):
        idle.look(rank, busy=False, done=0, now=0.0)
    idle.restart(50.0)
    assert idle.look(0, busy=False, done=0, now=60.0) == 10.0
    idle.forget({0})
    assert idle.look(1, busy=False, done=0, now=60.0) == 0.0


def test_packed_nodes_are_filled_from_the_lowest_number() -> None:
    made = Placer()
    made.packed = True
    for rank in (2, 0, 1):
        made.up(rank, 2)
    made.queue.extend(range(3))
    assert made.place() == {0: [0, 1], 1: [2]}
    made.settled(0, 2, 1.0)
    made.queue.append(3)
    assert made.place() == {0: [3]}
    assert (made.nodes, made.seconds) == (3, 1.0)
