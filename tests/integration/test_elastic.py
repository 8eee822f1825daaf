"""Real pools that grow with their queue and shrink when nodes are idle."""

from __future__ import annotations

import os
import signal
import threading
import time
from typing import Any

import pytest

import skyward as sky
from skyward_jupyter.runtime.bridge import wait
from tests.integration.conftest import Until

E = sky.events


@sky.compute
def nap(seconds: float, value: int) -> int:
    time.sleep(seconds)
    return value


@sky.compute
def info() -> Any:
    return sky.instance_info()


def test_it_starts_small_grows_with_the_queue_and_shrinks_when_idle(until: Until) -> None:
    pool = sky.ComputePool(nodes=sky.Nodes(min=1, max=4, idle_after=1.5), name="elastic")
    resized: list[E.PoolResized] = []
    pool.on(E.PoolResized, resized.append)
    with pool:
        assert (pool.size, pool.bounds) == (1, (1, 4))
        assert repr(pool) == "<ComputePool 'elastic': 1 local node of 1 to 4, ready>"
        assert sky.gather(*(nap(0.5, n) for n in range(24))) >> pool == list(range(24))
        assert max(event.nodes for event in resized) == 4
        assert {event.why for event in resized if event.nodes > 1} == {"queue"}
        until(lambda: pool.size == 1 and pool._inner.ranks == (0,), "it is small again")
        until(lambda: resized[-1].nodes == 1, "it says so")
        assert [event.nodes for event in resized if event.why == "idle"] == [3, 2, 1]
        assert [found.total_nodes for found in info() @ pool] == [1]
        snapshot = pool._inner.panel.snapshot()
        assert (snapshot["smallest"], snapshot["largest"]) == (1, 4)


def test_from_zero_to_zero(until: Until) -> None:
    pool = sky.ComputePool(nodes=sky.Nodes(min=0, max=3, idle_after=0.3), name="zero")
    with pool:
        assert (pool.state, pool.size, pool.nodes) == ("ready", 0, ())
        for _ in range(2):
            assert nap(0.0, 7) >> pool == 7
            until(lambda: pool.size == 0, "no node is left")
            assert pool.state == "ready"
        assert [found.node for found in info() @ pool] == [0]
        until(lambda: pool.size == 0, "no node is left")
        assert sky.gather(*(nap(0.2, n) for n in range(5))) >> pool == [0, 1, 2, 3, 4]


def test_shrinking_interrupts_nothing(until: Until) -> None:
    with sky.ComputePool(nodes=sky.Nodes(desired=3, min=1, max=3, idle_after=0.2), name="careful") as pool:
        assert pool.size == 3
        futures = [nap(1.5, n) > pool for n in range(3)]
        until(lambda: all(view.running for view in pool.nodes), "all are busy")
        assert [future.result(30) for future in futures] == [0, 1, 2]
        until(lambda: pool.size == 1, "two have gone")
        assert nap(0.0, 1) >> pool == 1


def test_by_hand_within_its_bounds() -> None:
    with sky.ComputePool(nodes=(1, 3), name="hand") as pool:
        pool.scale(3)
        assert [found.node for found in info() @ pool] == [0, 1, 2]
        pool.scale(2)
        assert pool.size == 2
        for nodes in (0, 4):
            with pytest.raises(sky.UsageError, match=f"nodes is {nodes}; pool 'hand' is elastic and has 1 to 3"):
                pool.scale(nodes)
        assert pool.size == 2


def test_a_broadcast_while_nodes_leave_names_those_that_stay(until: Until) -> None:
    with sky.ComputePool(nodes=3, name="leaving") as pool:
        blocked = [nap(2.0, n) > pool for n in range(3)]
        until(lambda: all(view.running for view in pool.nodes), "all are busy")
        shrink = threading.Thread(target=pool.scale, args=(2,))
        shrink.start()
        until(lambda: pool._inner.ranks == (0, 1), "one is about to go")
        assert [found.node for found in info() @ pool] == [0, 1]
        shrink.join(20)
        assert [future.result(20) for future in blocked] == [0, 1, 2]


def test_a_broadcast_waits_for_the_node_that_is_being_replaced(until: Until) -> None:
    with sky.ComputePool(nodes=2, name="waited") as pool:
        lost: list[E.NodeLost] = []
        pool.on(E.NodeLost, lost.append)
        os.kill(pool.nodes[1].pid, signal.SIGKILL)
        until(lambda: lost, "it is known to be lost")
        assert [found.node for found in info() @ pool] == [0, 1]


def test_a_session_keeps_its_node(until: Until) -> None:
    with sky.ComputePool(nodes=sky.Nodes(desired=2, min=1, max=2, idle_after=0.2), name="session") as pool:

        async def cell() -> None:
            await pool._inner.launch(info(), [1], session=True).outcomes()

        wait(cell())
        deadline = time.monotonic() + 2.0
        while time.monotonic() < deadline:
            assert pool.size == 2
            time.sleep(0.05)
        pool.scale(1)
        assert pool.size == 1
