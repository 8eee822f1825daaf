"""Pools of more nodes than hold collections: some of those that do are lost or leave, and some of the others."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterable, Iterator
from functools import partial

import pytest

import skyward as sky
from skyward_jupyter.collections.data_nodes import DATA_NODES
from tests.faults.conftest import World
from tests.faults.test_nodes import pid_of, replaced

NODES = DATA_NODES + 3
OTHERS = range(DATA_NODES, NODES)
WRITTEN = {number: str(number) for number in range(200)}

pytestmark = [pytest.mark.fault, pytest.mark.timeout(300)]


@pytest.fixture
def crowd() -> Iterator[sky.ComputePool]:
    """Have a pool whose last nodes hold nothing."""
    with sky.ComputePool(nodes=NODES, name=f"fault-data-{os.getpid()}", timeout=200) as pool:
        yield pool


def lose(pool: sky.ComputePool, world: World, ranks: Iterable[int]) -> None:
    """Kill nodes at once, and wait until others are in their places."""
    old = {rank: pid_of(pool, rank) for rank in ranks}
    for pid in old.values():
        os.kill(pid, signal.SIGKILL)
    for rank, pid in old.items():
        world.until(partial(replaced, pool, rank, pid), f"node {rank} is back", within=100)


@sky.compute(retries=0)
def look() -> tuple[int, ...]:
    """Add to a counter; which nodes were lost, if it says so."""
    try:
        sky.counter("counted").increment()
    except sky.CollectionLost as error:
        return error.nodes
    return ()


def test_nodes_that_hold_nothing_take_nothing_along(crowd: sky.ComputePool, world: World) -> None:
    look() @ crowd
    sky.dict("written", pool=crowd).update(WRITTEN)
    lose(crowd, world, OTHERS)
    assert look() @ crowd == [()] * NODES
    assert dict(sky.dict("written", pool=crowd).items()) == WRITTEN
    assert sky.counter("counted", pool=crowd).value == 2 * NODES


def test_all_nodes_hear_of_it_when_all_data_nodes_are_lost_and_go_on(crowd: sky.ComputePool, world: World) -> None:
    look() @ crowd
    others = {rank: pid_of(crowd, rank) for rank in OTHERS}
    lose(crowd, world, range(DATA_NODES))
    told = look() @ crowd
    assert all(nodes and set(nodes) <= set(range(DATA_NODES)) for nodes in told)
    with pytest.raises(sky.CollectionLost):
        _ = sky.counter("counted", pool=crowd).value
    assert look() @ crowd == [()] * NODES
    assert sky.counter("counted", pool=crowd).value == NODES
    assert {rank: pid_of(crowd, rank) for rank in OTHERS} == others


def test_data_nodes_that_leave_hand_over_what_they_hold(crowd: sky.ComputePool) -> None:
    look() @ crowd
    shared = sky.dict("written", pool=crowd)
    shared.update(WRITTEN)
    for nodes in (2, NODES, 3):
        crowd.scale(nodes)
        assert dict(shared.items()) == WRITTEN
        assert look() @ crowd == [()] * nodes
    assert sky.counter("counted", pool=crowd).value == NODES + 2 + NODES + 3
