"""Pools as a whole: their life, their names, their size."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
import threading
import time
from typing import Any

import psutil
import pytest

import skyward as sky
from skyward_jupyter.actors.messages import Introduced, Taken
from skyward_jupyter.agent.config import PORT
from skyward_jupyter.errors import PoolStopped, ProvisioningFailed
from skyward_jupyter.fleets import local
from skyward_jupyter.runtime.bridge import runtime
from tests.integration.conftest import Until
from tests.processes import line_of


@sky.compute
def info() -> Any:
    return sky.instance_info()


@sky.compute
def double(n: int) -> int:
    return 2 * n


@sky.compute
def nap(seconds: float, value: int) -> int:
    time.sleep(seconds)
    return value


def left_of(pool: sky.ComputePool) -> list[str]:
    """Processes and files of a pool."""
    found = [path for path in os.listdir("/dev/shm") if f"-{pool.name}-" in path] if os.path.isdir("/dev/shm") else []
    for process in psutil.process_iter():
        line = line_of(process)
        if line.startswith("skyward: ") and f" {pool.name}/" in line:
            found.append(line)
    return found


def test_a_life(until: Until) -> None:
    pool = sky.ComputePool(nodes=2, name="life")
    assert pool.start() is pool
    assert (pool.state, pool.size) == ("ready", 2)
    assert repr(pool) == "<ComputePool 'life': 2 local nodes, ready>"
    assert sky.pool("life") is pool
    assert pool in sky.pools()
    assert left_of(pool)
    pool.stop()
    assert pool.state == "stopped"
    assert repr(pool).endswith("stopped>")
    assert pool not in sky.pools()
    until(lambda: not left_of(pool), "nothing of it is left")


def test_starting_and_stopping_twice() -> None:
    pool = sky.ComputePool(nodes=1, name="twice")
    for _ in range(2):
        pool.start()
        pids = [view.pid for view in pool.nodes]
        pool.start()
        assert [view.pid for view in pool.nodes] == pids
        assert double(2) >> pool == 4
        pool.stop()
        pool.stop()
        assert pool.state == "stopped"


async def test_starting_it_at_the_same_time() -> None:
    pool = sky.ComputePool(nodes=2, name="together")

    async def start() -> str:
        await pool.start_async()
        return pool.state

    try:
        assert await asyncio.gather(start(), start(), start()) == ["ready"] * 3
    finally:
        await asyncio.gather(pool.stop_async(), pool.stop_async())
    assert pool.state == "stopped"


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere nodes share an address")
async def test_a_start_that_fails_fails_for_all_who_wait_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    block = f"127.63.{os.getpid() % 256}"
    monkeypatch.setattr(local, "_free_block", lambda: block)
    pool = sky.ComputePool(nodes=2, name="occupied")
    with socket.socket() as other:
        other.bind((f"{block}.2", PORT))
        other.listen()
        first, second = await asyncio.gather(pool.start_async(), pool.start_async(), return_exceptions=True)
    assert isinstance(first, ProvisioningFailed)
    assert str(first) == (
        "pool 'occupied' was not started, 1 of 2 nodes failed:\n"
        "node 1: its agent failed: Address already in use (os error 98)"
    )
    assert str(second) == str(first)
    await pool.start_async()
    await pool.stop_async()


async def test_a_start_that_is_called_off_is_so_for_all_who_wait_for_it() -> None:
    pool = sky.ComputePool(nodes=8, name="called-off")
    first, second = (asyncio.ensure_future(pool.start_async()) for _ in range(2))
    async for event in pool.events():
        if isinstance(event, sky.events.NodeStarting):
            break
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    with pytest.raises(ProvisioningFailed, match="pool 'called-off' was stopped before it was ready"):
        await second
    assert pool.state == "stopped"


async def test_of_many_sizes_at_once_the_last_is_had_and_none_fails() -> None:
    async with sky.ComputePool(nodes=2, name="at-once") as pool:
        sizes = [1 + number * 7 % 5 for number in range(20)]
        await asyncio.gather(*(pool.scale_async(size) for size in sizes))
        assert len(pool.nodes) == sizes[-1]


async def test_a_stop_during_a_start_and_during_a_scale_is_named() -> None:
    pool = sky.ComputePool(nodes=4, name="stopped-early")
    starting = asyncio.ensure_future(pool.start_async())
    async for event in pool.events():
        if isinstance(event, sky.events.NodeStarting):
            break
    await pool.stop_async()
    with pytest.raises(ProvisioningFailed, match="pool 'stopped-early' was stopped before it was ready"):
        await starting
    await pool.start_async()
    scaling = asyncio.ensure_future(pool.scale_async(12))
    async for event in pool.events():
        if isinstance(event, sky.events.NodeStarting):
            break
    await pool.stop_async()
    with pytest.raises(PoolStopped, match="pool 'stopped-early' was stopped before it had 12 nodes"):
        await scaling


FORGOTTEN = """
import gc, os, time
import skyward as sky
from skyward_jupyter.actors.hub import Hub

@sky.compute
def double(n):
    return 2 * n

def use(number):
    with sky.ComputePool(nodes=2, name=f"forgotten{number}") as pool:
        assert double(1) >> pool == 2

def left():
    gc.collect()
    return sum(isinstance(it, Hub) for it in gc.get_objects()), len(os.listdir("/proc/self/fd"))

def settled(enough):
    deadline = time.monotonic() + 20
    while not enough(left()) and time.monotonic() < deadline:
        time.sleep(0.01)
    return left()

# The first ones make what the process keeps.
for number in range(3):
    use(number)
    kept = settled(lambda now: not now[0])
use(3)
print(*settled(lambda now: now <= kept), *kept)
"""


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="what a process has open is told by /proc")
def test_a_pool_that_is_over_is_forgotten() -> None:
    """Neither its objects nor anything it opened stay in the process."""
    done = subprocess.run([sys.executable, "-c", FORGOTTEN], capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr
    hubs, opened, hubs_before, opened_before = map(int, done.stdout.split())
    assert hubs == hubs_before == 0
    assert opened <= opened_before


def test_a_crowd_of_nodes(until: Until) -> None:
    """More than join at a time: every one of them answers, and a stop in the middle of a start leaves none."""
    with sky.ComputePool(nodes=30, name="crowd") as crowd:
        assert [one.node for one in info() @ crowd] == list(range(30))
    until(lambda: not left_of(crowd), "nothing of it is left")


async def test_a_crowd_that_is_called_off(until: Until) -> None:
    crowd = sky.ComputePool(nodes=40, name="calledoff")
    starting = asyncio.create_task(crowd.start_async())
    await asyncio.to_thread(until, lambda: any(node.phase == "joined" for node in crowd.nodes), "one has joined")
    starting.cancel()
    await asyncio.wait([starting])
    await crowd.stop_async()
    until(lambda: not left_of(crowd), "nothing of it is left")


async def test_a_crowd_that_another_kernel_takes(until: Until) -> None:
    """Its nodes are waited for no more here, though nothing is heard of their end."""
    crowd = sky.ComputePool(nodes=16, name="takenoff", ttl=1.0)
    starting = asyncio.create_task(crowd.start_async())
    async with asyncio.timeout(20):
        while not any(node.phase == "joined" for node in crowd.nodes):  # noqa: ASYNC110
            await asyncio.sleep(0.005)
    hub = crowd._inner.hub
    assert hub is not None
    runtime().call_soon(hub.pool.tell, Taken("another"))
    with pytest.raises(ProvisioningFailed, match="taken over by another"):
        await starting
    work = [str(task.get_coro()) for task in asyncio.all_tasks(runtime().loop)]
    assert not [name for name in work if "_Supplier" in name]
    await (await sky.attach_async(crowd.name, force=True)).stop_async()
    until(lambda: not left_of(crowd), "nothing of it is left")


def test_after_it_was_stopped() -> None:
    pool = sky.ComputePool(nodes=1, name="over")
    with pool:
        pending = nap(60, 1) > pool
    for use in (
        lambda: double(1) >> pool,
        lambda: double(1) @ pool,
        lambda: sky.gather(double(1)) >> pool,
        lambda: (double(1) > pool).result(20),
        lambda: pool.scale(2),
        lambda: pool.stream(sky.gather(double(1))),
    ):
        with pytest.raises(sky.PoolStopped, match="pool 'over' is stopped"):
            use()
    with pytest.raises(sky.PoolStopped, match="before the task had ended"):
        pending.result(20)
    pool.interrupt()
    assert pool.nodes == ()


def test_an_error_in_the_block_stops_it() -> None:
    with pytest.raises(ZeroDivisionError), sky.ComputePool(nodes=1, name="broken") as pool:
        sky.compute(lambda: 1 // 0)() >> pool
    assert pool.state == "stopped"


def test_two_at_once(pool: sky.ComputePool) -> None:
    with sky.ComputePool(nodes=2, name="second") as second:
        futures = [double(n) > target for n in range(20) for target in (pool, second)]
        assert [future.result(20) for future in futures] == [2 * n for n in range(20) for _ in "ab"]
        assert {found.job_id for found in info() @ second} == {"second"}
        assert {found.job_id for found in info() @ pool} == {"shared"}
        first_hosts, second_hosts = ({view.address for view in each.nodes} for each in (pool, second))
        assert not first_hosts & second_hosts
    assert double(1) >> pool == 2


def test_a_name_that_is_taken(pool: sky.ComputePool) -> None:
    with pytest.raises(sky.UsageError, match="a pool named 'shared' runs already"):
        sky.ComputePool(name="shared").start()
    assert sky.pool("shared") is pool


@pytest.mark.parametrize("nodes", [0, -1, True, 251, "4", None, 1.0])
def test_sizes_that_no_pool_has(pool: sky.ComputePool, nodes: Any) -> None:
    with pytest.raises(sky.UsageError, match="has 1 to 250"):
        pool.scale(nodes)
    assert pool.size == 3


def test_scaling() -> None:
    with sky.ComputePool(nodes=1, name="scaled") as pool:
        for size in (3, 2, 2, 4, 1):
            pool.scale(size)
            found = info() @ pool
            assert [each.node for each in found] == list(range(size))
            assert {(each.total_nodes, len(each.peers)) for each in found} == {(size, size - 1)}
            assert len({(each.head_addr, each.head_port) for each in found}) == 1
            assert [view.rank for view in pool.nodes] == list(range(size))
            assert pool.size == size
            shares = sky.compute(lambda: sky.shard(list(range(12))))() @ pool
            assert sorted(sum(shares, start=[])) == list(range(12))  # noqa: RUF017


def test_late_answers_to_an_earlier_introduction_hold_nothing_up() -> None:
    with sky.ComputePool(nodes=1, name="late", timeout=10) as pool:
        assert pool._inner.hub is not None
        runtime().call_soon(pool._inner.hub.pool.tell, Introduced(0))
        assert len(info() @ pool) == 1
        pool.scale(2)
        runtime().call_soon(pool._inner.hub.pool.tell, Introduced(1))
        assert double(2) >> pool == 4
        assert len(info() @ pool) == 2


def test_scaling_while_it_works() -> None:
    with sky.ComputePool(nodes=4, name="working") as pool:
        for low, high in ((2, 5), (1, 4)):
            future = sky.gather(*(nap(0.002, n) for n in range(1500))) > pool
            pool.scale(low)
            assert pool.size == low
            pool.scale(high)
            assert future.result(60) == list(range(1500))
            assert [each.node for each in info() @ pool] == list(range(high))


def test_a_node_that_goes_finishes_what_it_runs() -> None:
    with sky.ComputePool(nodes=3, name="finishing") as pool:
        futures = [nap(0.3, n) > pool for n in range(3)]
        pool.scale(1)
        assert [future.result(20) for future in futures] == [0, 1, 2]


def test_environment() -> None:
    with sky.ComputePool(nodes=1, name="env", env={"MINE": "ä b", "PATH_LIKE": "/x:/y"}) as pool:
        found = sky.compute(lambda: {name: os.environ.get(name) for name in ("MINE", "PATH_LIKE", "HOME")})() >> pool
    assert found == {"MINE": "ä b", "PATH_LIKE": "/x:/y", "HOME": os.environ.get("HOME")}
    assert "MINE" not in os.environ


def test_what_a_node_shows(pool: sky.ComputePool, until: Until) -> None:
    done = sum(view.done for view in pool.nodes)
    double(1) @ pool
    until(lambda: sum(view.done for view in pool.nodes) == done + 3, "three more tasks are counted")
    until(lambda: {view.state.value for view in pool.nodes} == {"idle"}, "all are idle")
    assert [(view.rank, view.slots, view.phase) for view in pool.nodes] == [(rank, 1, "ready") for rank in range(3)]
    assert all(psutil.pid_exists(view.pid) for view in pool.nodes)


def test_used_from_many_threads(pool: sky.ComputePool) -> None:
    found: dict[int, list[int]] = {}

    def work(mine: int) -> None:
        found[mine] = [double(mine * 100 + n) >> pool for n in range(20)]

    threads = [threading.Thread(target=work, args=(n,)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {mine: [2 * (mine * 100 + n) for n in range(20)] for mine in range(6)}


SCRIPT = """
import os, sys, time
import skyward as sky

@sky.compute
def work(n):
    print("working on", n)
    return n * 2, sky.instance_info().node

@sky.compute
def crash():
    os._exit(4)

@sky.compute
def count(n):
    yield from range(n)

@sky.compute
def forever():
    while True:
        time.sleep(0.01)

with sky.ComputePool(nodes=2, worker=sky.Worker(int(sys.argv[1]), sys.argv[2])) as pool:
    assert work(3) @ pool == [(6, 0), (6, 1)], "broadcast"
    assert [value for value, _ in sky.gather(*map(work, range(20))) >> pool] == list(range(0, 40, 2)), "gather"
    assert list(count(20) >> pool) == list(range(20)), "stream"
    for call, error in ((crash(), sky.SlotDied), (forever().with_timeout(0.1), sky.TaskTimeout)):
        try:
            call >> pool
        except error as caught:
            print(type(caught).__name__)
        else:
            raise AssertionError(error)
    pool.scale(3)
    assert len(work(1) @ pool) == 3, "scale"
print("the end")
"""


@pytest.mark.parametrize(
    ("start", "slots", "executor"), [("spawn", 1, "process"), ("spawn", 2, "thread"), ("", 2, "process")]
)
def test_in_a_script(start: str, slots: int, executor: str) -> None:
    ran = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(slots), executor],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "SKYWARD_START": start},
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.endswith(
        "SlotDied\nTaskTimeout\n[0] working on 1\n[1] working on 1\n[2] working on 1\nthe end\n"
    ) or (
        sorted(ran.stdout.splitlines()[-4:]) == ["[0] working on 1", "[1] working on 1", "[2] working on 1", "the end"]
    )
    assert ran.stderr == ""


def test_a_script_that_forgets_to_stop_leaves_nothing(until: Until) -> None:
    name = f"forgotten-{os.getpid()}"
    code = f"import skyward as sky; p = sky.ComputePool(nodes=2, name={name!r}).start(); print(len(p.nodes))"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert (ran.stdout, ran.stderr) == ("2\n", "")
    until(lambda: not left_of(sky.ComputePool(name=name)), "nothing of it is left")
