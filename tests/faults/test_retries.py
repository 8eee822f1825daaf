"""Nodes that are lost with tasks on them: what is repeated, what is not, and what is made of the nodes."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

import skyward as sky
from tests.faults.conftest import World

E = sky.events


@sky.compute
def mark(path: str, seconds: float, x: int) -> int:
    """Leaves a line for every time it begins."""
    with open(path, "a") as file:
        file.write(f"{x}\n")
    time.sleep(seconds)
    return x


@sky.compute
def rank() -> int:
    return sky.instance_info().node


def pid_of(pool: sky.ComputePool, node: int) -> int:
    return next((view.pid for view in pool.nodes if view.rank == node), 0)


def kill(pid: int, what: signal.Signals) -> None:
    """Send a signal to a process that may have ended already."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, what)


def whole(pool: sky.ComputePool, size: int = 3) -> bool:
    return pool.size == size and all(view.phase == "ready" for view in pool.nodes)


def begun(path: Path) -> Counter[str]:
    return Counter(path.read_text().split()) if path.exists() else Counter()


def kill_busy(pool: sky.ComputePool, world: World) -> int:
    """Kill the node that runs something."""
    world.until(lambda: any(view.running for view in pool.nodes), "a node is busy")
    view = next(view for view in pool.nodes if view.running)
    os.kill(view.pid, signal.SIGKILL)
    return view.rank


def test_two_thousand_tasks_survive_the_random_deaths_of_their_nodes(
    pool: sky.ComputePool, world: World, tmp_path: Path
) -> None:
    total, once, kills = 2000, 100, 6
    heard: list[E.Event] = []
    off = pool.on(E.Event, heard.append)
    again, never = str(tmp_path / "again"), str(tmp_path / "never")
    futures, single = [], []
    for x in range(total):
        futures.append(mark(again, 0.002, x) > pool)
        if x % (total // once) == 0:
            single.append(mark(never, 0.01, x).with_retries(0) > pool)
    everything = futures + single
    random.seed(11)

    def enough(count: float) -> bool:
        return sum(future.done() for future in everything) > count

    for turn in range(kills):
        world.until(partial(enough, turn * total / (kills + 2)), "some tasks are done")
        ready = [view for view in pool.nodes if view.phase == "ready" and view.pid]
        if ready:
            kill(random.choice(ready).pid, signal.SIGKILL)
    assert [future.result(90) for future in futures] == list(range(total))
    errors = [future.exception(60) for future in single]
    lost = [error for error in errors if isinstance(error, sky.NodeLost)]
    assert all(error is None or isinstance(error, sky.NodeLost) for error in errors)
    assert all(error.node in (0, 1, 2) and error.tries == 1 for error in lost)
    assert max(begun(tmp_path / "never").values(), default=0) == 1
    try:
        world.until(lambda: whole(pool), "the pool has its size again")
    except AssertionError:
        print(
            pool._inner.panel.snapshot()["note"],
            *(event for event in heard if isinstance(event, E.NodeEvent)),
            sep="\n",
        )
        raise
    counts = Counter(type(event).__name__ for event in heard)
    repeated = sum(count - 1 for count in begun(tmp_path / "again").values())
    print(
        f"{total} repeatable and {once} single tasks, {kills} kills: {counts['NodeLost']} nodes lost, "
        f"{counts['NodeReplaced']} replaced, {counts['TaskRetried']} tasks sent again, {repeated} of them had begun, "
        f"{len(lost)} single ones lost with their node, none missing"
    )
    assert counts["NodeLost"] >= 1
    assert counts["NodeReplaced"] >= 1
    ended = Counter(event.task for event in heard if isinstance(event, E.TaskDone))
    assert set(ended.values()) == {1}
    assert len(ended) == total + once
    assert rank() @ pool == [0, 1, 2]
    off()


def test_a_long_task_goes_to_another_node(pool: sky.ComputePool, world: World, tmp_path: Path) -> None:
    path = tmp_path / "long"
    retried: list[E.TaskRetried] = []
    off = pool.on(E.TaskRetried, retried.append)
    future = mark(str(path), 1.5, 7) > pool
    world.until(lambda: begun(path)["7"] == 1, "it runs")
    lost = kill_busy(pool, world)
    world.until(lambda: begun(path)["7"] == 2, "it runs again")
    assert future.result(30) == 7
    assert [(event.node, event.tries, event.name) for event in retried] == [(lost, 1, "mark")]
    assert pool.timeline[-1].tries == 2
    off()


def test_after_the_last_try_it_ends_with_its_node(pool: sky.ComputePool, world: World, tmp_path: Path) -> None:
    path = tmp_path / "fatal"
    future = mark(str(path), 60, 1).with_retries(2) > pool
    for turn in (1, 2, 3):
        world.until(lambda turn=turn: begun(path)["1"] == turn, f"it runs for the {turn}. time")  # type: ignore[misc]
        lost = kill_busy(pool, world)
    with pytest.raises(sky.NodeLost, match="the last of 3 nodes lost with it") as caught:
        future.result(30)
    assert (caught.value.node, caught.value.tries) == (lost, 3)
    world.until(lambda: whole(pool), "the pool has its size again")


def test_what_is_not_repeated(pool: sky.ComputePool, world: World, tmp_path: Path) -> None:
    @sky.compute
    def steps() -> Iterator[int]:
        yield 1
        time.sleep(60)
        yield 2

    stream = iter(steps() >> pool)
    assert next(stream) == 1
    kill_busy(pool, world)
    with pytest.raises(sky.NodeLost):
        next(stream)
    world.until(lambda: whole(pool), "the pool has its size again")

    path = tmp_path / "once"
    future = mark(str(path), 60, 1).with_retries(0) > pool
    world.until(lambda: begun(path)["1"] == 1, "it runs")
    lost = kill_busy(pool, world)
    with pytest.raises(sky.NodeLost, match=f"node {lost} was lost"):
        future.result(30)
    world.until(lambda: whole(pool), "the pool has its size again")
    assert begun(path)["1"] == 1


def test_a_slot_that_dies_is_no_lost_node(pool: sky.ComputePool, tmp_path: Path) -> None:
    @sky.compute
    def crash(path: str) -> None:
        with open(path, "a") as file:
            file.write("x\n")
        os._exit(3)

    with pytest.raises(sky.SlotDied):
        crash(str(tmp_path / "crash")) >> pool
    assert begun(tmp_path / "crash")["x"] == 1


def test_large_arguments_stay_until_the_last_try(world: World, tmp_path: Path) -> None:
    @sky.compute
    def size(data: bytes, path: str) -> int:
        with open(path, "a") as file:
            file.write("x\n")
        time.sleep(1)
        return len(data)

    for share in (True, False):
        path = tmp_path / f"large-{share}"
        name = f"large-{os.getpid()}-{share}"
        with sky.ComputePool(nodes=2, name=name, _share=share) as pool:
            future = size(os.urandom(8_000_000), str(path)) > pool
            world.until(lambda path=path: begun(path)["x"] == 1, "it runs")  # type: ignore[misc]
            kill_busy(pool, world)
            assert future.result(60) == 8_000_000
            assert begun(path)["x"] == 2
        world.until(lambda name=name: world.gone(name), "everything of the pool is gone")  # type: ignore[misc]


@pytest.mark.parametrize("node", [0, 2])
def test_an_agent_that_stands_still_is_lost_and_does_no_harm_later(
    pool: sky.ComputePool, world: World, tmp_path: Path, node: int
) -> None:
    """The others do not hear from it for long enough: its task runs elsewhere, and the old one is ended."""
    heard: list[E.Event] = []
    off = pool.on(E.NodeEvent, heard.append)
    futures = [mark(str(tmp_path / "still"), 2, x) > pool for x in range(3)]
    world.until(lambda: len(begun(tmp_path / "still")) == 3, "all run")
    old = pid_of(pool, node)
    started = time.monotonic()
    os.kill(old, signal.SIGSTOP)
    world.until(lambda: any(isinstance(event, E.NodeLost) for event in heard), "it is lost", within=40)
    took = time.monotonic() - started
    assert sorted(future.result(40) for future in futures) == [0, 1, 2]
    world.until(lambda: whole(pool) and pid_of(pool, node) not in (0, old), "it is replaced", within=40)
    lost = [event for event in heard if isinstance(event, E.NodeLost)]
    print(f"node {node} stopped: lost after {took:.1f} s ({lost[0].why})")
    assert [event.node for event in lost] == [node]
    kill(old, signal.SIGCONT)
    assert rank() @ pool == [0, 1, 2]
    assert sum(begun(tmp_path / "still").values()) == 4
    off()


def test_a_single_agent_that_stands_still_is_lost_too(world: World, tmp_path: Path) -> None:
    """There are no others to miss it: it is asked, and does not answer."""
    name = f"alone-{os.getpid()}"
    with sky.ComputePool(nodes=1, name=name) as pool:
        future = mark(str(tmp_path / "alone"), 1, 5) > pool
        world.until(lambda: begun(tmp_path / "alone")["5"] == 1, "it runs")
        old = pid_of(pool, 0)
        os.kill(old, signal.SIGSTOP)
        assert future.result(60) == 5
        assert begun(tmp_path / "alone")["5"] == 2
        assert pid_of(pool, 0) != old
    world.until(lambda: world.gone(name), "everything of the pool is gone")


def test_a_node_that_is_lost_too_often_is_given_up(world: World) -> None:
    name = f"often-{os.getpid()}"
    with sky.ComputePool(nodes=2, name=name, max_retries=1) as pool:
        for _ in range(2):
            old = pid_of(pool, 1)
            os.kill(old, signal.SIGKILL)
            world.until(lambda old=old: pid_of(pool, 1) != old and whole(pool, pool.size), "it is settled")  # type: ignore[misc]
        world.until(lambda: pool.size == 1, "the pool goes on without it")
        assert "node 1 was lost 2 times within an hour" in pool._inner.panel.snapshot()["note"]
        assert [info.total_nodes for info in sky.compute(sky.instance_info)() @ pool] == [1]
    world.until(lambda: world.gone(name), "everything of the pool is gone")


def test_a_pool_without_any_node_left_fails_its_tasks(world: World, tmp_path: Path) -> None:
    name = f"none-{os.getpid()}"
    with sky.ComputePool(nodes=1, name=name, max_retries=0) as pool:
        futures = [mark(str(tmp_path / "none"), 60, x) > pool for x in range(3)]
        kill_busy(pool, world)
        for future in futures:
            with pytest.raises(sky.PoolStopped, match="has no node left: node 0 was lost 1 times"):
                future.result(30)
        assert pool.state == "failed"
    world.until(lambda: world.gone(name), "everything of the pool is gone")


def test_the_others_learn_of_the_one_in_its_place(pool: sky.ComputePool, world: World) -> None:
    old = pid_of(pool, 1)
    os.kill(old, signal.SIGKILL)
    world.until(lambda: pid_of(pool, 1) not in (0, old) and whole(pool), "it is replaced")
    found = sky.compute(sky.instance_info)() @ pool
    addresses = {view.rank: view.address for view in pool.nodes}
    for info in found:
        assert set(info.peers) == {address for node, address in addresses.items() if node != info.node}
