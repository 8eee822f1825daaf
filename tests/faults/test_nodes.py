"""Nodes that are killed, idle and busy."""

from __future__ import annotations

import os
import random
import signal
import time
from functools import partial

import pytest

import skyward as sky
from tests.faults.conftest import World


@sky.compute
def rank() -> int:
    return sky.instance_info().node


@sky.compute
def work(x: int) -> int:
    time.sleep(0.002)
    return x


@sky.compute
def wait_long() -> int:
    time.sleep(60)
    return sky.instance_info().node


def pid_of(pool: sky.ComputePool, node: int) -> int:
    return next(view.pid for view in pool.nodes if view.rank == node)


def replaced(pool: sky.ComputePool, node: int, old: int) -> bool:
    view = next((view for view in pool.nodes if view.rank == node), None)
    return view is not None and view.pid not in (0, old) and view.phase == "ready"


@pytest.mark.parametrize("node", [0, 2])
def test_an_idle_node_is_replaced_at_its_rank(pool: sky.ComputePool, world: World, node: int) -> None:
    old = pid_of(pool, node)
    os.kill(old, signal.SIGKILL)
    world.until(lambda: replaced(pool, node, old), f"node {node} is back")
    assert rank() @ pool == [0, 1, 2]


def test_a_busy_node_is_named_and_the_others_go_on(pool: sky.ComputePool, world: World) -> None:
    futures = [wait_long().with_retries(0) > pool for _ in range(3)]
    world.until(lambda: all(view.running for view in pool.nodes), "every node is busy")
    old = pid_of(pool, 1)
    os.kill(old, signal.SIGKILL)
    lost = []
    world.until(lambda: any(future.done() for future in futures), "the lost task is reported")
    for future in futures:
        if future.done():
            with pytest.raises(sky.NodeLost, match="node 1 was lost") as caught:
                future.result()
            lost.append(caught.value.node)
        else:
            future.cancel()
    assert lost == [1]
    world.until(lambda: replaced(pool, 1, old), "node 1 is back")
    assert rank() @ pool == [0, 1, 2]


def test_a_broadcast_names_the_node_it_lost(pool: sky.ComputePool, world: World) -> None:
    @sky.compute
    def part() -> int:
        import time

        me = sky.instance_info().node
        if me == 2:
            time.sleep(60)
        return me

    import concurrent.futures

    with concurrent.futures.ThreadPoolExecutor(1) as threads:
        result = threads.submit(lambda: part() @ pool)
        world.until(lambda: pool.nodes[2].running, "node 2 is busy")
        os.kill(pid_of(pool, 2), signal.SIGKILL)
        with pytest.raises(sky.NodeLost, match="node 2"):
            result.result(30)
    world.until(lambda: pool.size == 3 and all(view.phase == "ready" for view in pool.nodes), "the pool is whole")
    assert rank() @ pool == [0, 1, 2]


def test_random_kills_under_load_lose_nothing_silently(pool: sky.ComputePool, world: World) -> None:
    total, kills = 1500, 4
    futures = [work(index) > pool for index in range(total)]
    random.seed(7)

    def enough(count: float) -> bool:
        return sum(future.done() for future in futures) > count

    for round_ in range(kills):
        world.until(partial(enough, (round_ + 1) * total / 8), "some tasks are done")
        view = random.choice([view for view in pool.nodes if view.phase == "ready"])
        os.kill(view.pid, signal.SIGKILL)
        world.until(partial(replaced, pool, view.rank, view.pid), f"node {view.rank} is back")
    errors = [future.exception(60) for future in futures]
    returned = sum(error is None and futures[index].result() == index for index, error in enumerate(errors))
    named = sum(isinstance(error, sky.NodeLost) and error.node in (0, 1, 2) for error in errors)
    missing = total - returned - named
    print(f"{total} tasks, {kills} nodes killed: {returned} returned, {named} named as lost, {missing} missing")
    assert returned + named == total
    assert rank() @ pool == [0, 1, 2]


def test_a_stopped_agent_is_not_waited_for_forever(pool: sky.ComputePool, world: World) -> None:
    """A node that is there but silent does not keep the pool from being stopped."""
    os.kill(pid_of(pool, 1), signal.SIGSTOP)
    assert work(1) >> pool == 1


def test_the_template_dying_takes_its_nodes_and_the_pool_comes_back(pool: sky.ComputePool, world: World) -> None:
    from skyward_jupyter.fleets.launcher import launcher

    old = {view.rank: view.pid for view in pool.nodes}
    os.kill(launcher().pid, signal.SIGKILL)
    for node, pid in old.items():
        world.until(partial(replaced, pool, node, pid), f"node {node} is back")
    assert rank() @ pool == [0, 1, 2]
