"""Many nodes on one machine: all of them use every collection, some are killed, and no other one is taken for lost.

`SKYWARD_CROWD=100` has a hundred of them; that takes a machine that has little else to do.
"""

from __future__ import annotations

import os
import signal
from functools import partial

import psutil
import pytest

import skyward as sky
from skyward_jupyter.api import registry
from skyward_jupyter.collections.data_nodes import DATA_NODES
from tests.faults.conftest import World
from tests.faults.test_nodes import pid_of, replaced

CROWD = int(os.environ.get("SKYWARD_CROWD", "16"))
#: Seconds of a processor that all agents together may take until each has used every collection for the first time.
WORK = 0.7 * CROWD
#: Nodes that are killed, data nodes among them.
KILLED = (1, 5, CROWD - 1) if CROWD < 100 else (1, 5, CROWD // 2, CROWD - 6, CROWD - 1)

pytestmark = [pytest.mark.fault, pytest.mark.timeout(600 if CROWD < 100 else 1200)]


@sky.compute(retries=0)
def use_all(turn: int) -> tuple[bool, int]:
    """Use every collection once; whether the count was confirmed, and whose item the node got from the queue."""
    me, counted = sky.instance_info().node, True
    try:
        sky.counter("counted").increment()
    except sky.CollectionUnavailable:
        counted = False
    sky.dict("nodes")[turn, me] = True
    sky.set("seen").add((turn, me))
    sky.queue("passed").put((turn, me))
    with sky.lock("one"):
        pass
    sky.barrier("all").wait(timeout=150)
    item = sky.queue("passed").get(timeout=150)
    assert item is not None
    return counted, item[1]


@sky.compute(retries=0)
def look() -> bool:
    """Read every collection that is written then: the data nodes have changed, and calls that fail would show it."""
    try:
        int(sky.counter("counted"))
        len(sky.dict("nodes"))
        len(sky.set("seen"))
        len(sky.queue("passed"))
    except sky.CollectionUnavailable:
        return False
    return True


def used(pool: sky.ComputePool) -> float:
    """Seconds of a processor that the agents have taken so far."""
    return sum(sum(psutil.Process(node.pid).cpu_times()[:2]) for node in pool.nodes)


def check(pool: sky.ComputePool, done: list[list[tuple[bool, int]]]) -> None:
    """Everything is there that was done so far, and every item went to one node."""
    everyone = {(turn, node) for turn in range(len(done)) for node in range(CROWD)}
    assert all(sorted(node for _, node in turn) == list(range(CROWD)) for turn in done)
    assert set(sky.dict("nodes", pool=pool).keys()) == everyone
    assert set(sky.set("seen", pool=pool)) == everyone
    counted = sum(confirmed for turn in done for confirmed, _ in turn)
    assert counted <= sky.counter("counted", pool=pool).value <= len(everyone)
    assert all(confirmed for confirmed, _ in done[0])


def test_a_crowd_uses_every_collection_and_is_broken(world: World) -> None:
    with sky.ComputePool(nodes=CROWD, name=f"fault-crowd-{os.getpid()}", timeout=300) as pool:
        pids = {node.rank: node.pid for node in pool.nodes}
        before = used(pool)
        done = [use_all(0) @ pool]
        work = used(pool) - before
        check(pool, done)
        # Only the data nodes hear of what they hold: every member that does has work with it.
        client = registry.pool(pool.name)._inner.hub.client
        assert client is not None
        assert len(client.members) == CROWD > DATA_NODES
        assert not {kind for member in client.members for kind in member.types if kind.startswith("casty")}
        for rank in KILLED:
            os.kill(pids[rank], signal.SIGKILL)
        for rank in KILLED:
            world.until(partial(replaced, pool, rank, pids[rank]), f"node {rank} is back", within=150)
        world.until(lambda: all(look() @ pool), "all nodes reach the data nodes", within=150)
        done.append(use_all(1) @ pool)
        check(pool, done)
        assert {rank for rank, pid in pids.items() if pid_of(pool, rank) != pid} == set(KILLED)
        assert work < WORK
