"""Strangers at the ports of a node: those that are of the pool get in, and calls go on, however many come."""

from __future__ import annotations

import contextlib
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest

import skyward as sky
from skyward_jupyter.agent.door import DESCRIPTORS
from skyward_jupyter.collections.data_nodes import data_address, data_cluster_name
from tests import flood
from tests.faults.conftest import World

MANY = 5000


@sky.compute
def plus(n: int) -> int:
    return n + 1


@contextlib.contextmanager
def flooded(address: str, kind: str) -> Iterator[None]:
    """Many connections of a stranger to an address, inside the block."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    number = MANY if hard == resource.RLIM_INFINITY else min(MANY, hard - 100)
    script = (
        "import resource, sys; from tests import flood; "
        f"resource.setrlimit(resource.RLIMIT_NOFILE, ({number + 100}, {hard})); flood.main()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, kind, str(number)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(flood.__file__).parents[1],
    ) as stranger:
        assert stranger.stdin is not None
        assert stranger.stdout is not None
        stranger.stdin.write(" ".join(address.rsplit(":", 1)) + "\n")
        stranger.stdin.flush()
        try:
            assert stranger.stdout.readline() == "flooding\n"
            yield
            assert stranger.poll() is None
        finally:
            stranger.stdin.close()


def pid_of(pool: sky.ComputePool, rank: int) -> int:
    return next(view.pid for view in pool.nodes if view.rank == rank)


def address_of(pool: sky.ComputePool, rank: int) -> str:
    return str(next(view.address for view in pool.nodes if view.rank == rank))


def attached(world: World, pool: sky.ComputePool, *, data: bool = False) -> str:
    """What another process says that connects to node 0 alone, or to it as a data node."""
    assert pool._inner.hub is not None
    fleet = pool._inner.hub.fleet
    address, cluster = fleet.address(0), fleet.cluster
    if data:
        address, cluster = data_address(address), data_cluster_name(cluster)
    script = world.script(f"""
import asyncio, casty
from skyward_jupyter.agent.cluster import COMPRESSION, LIMITS, certificates
async def main():
    async with asyncio.timeout(15), casty.Client(
        seeds=({address!r},), name={cluster!r}, tls=certificates({fleet.certificates!r}),
        limits=LIMITS, compression=COMPRESSION,
    ) as client:
        print(len(client.members), flush=True)
asyncio.run(main())
""")
    assert script.stdout is not None
    return script.stdout.readline()


@pytest.mark.parametrize(("kind", "files"), [("idle", 4096), ("half", 4096), ("garbage", DESCRIPTORS)])
def test_strangers_do_not_close_the_cluster_port(pool: sky.ComputePool, world: World, kind: str, files: int) -> None:
    assert plus(1) @ pool == [2, 2, 2]
    before = {view.rank: view.pid for view in pool.nodes}
    hard = resource.prlimit(before[0], resource.RLIMIT_NOFILE)[1]
    resource.prlimit(before[0], resource.RLIMIT_NOFILE, (min(files, hard), hard))
    with flooded(address_of(pool, 0), kind):
        end = time.monotonic() + 3
        while time.monotonic() < end:
            assert plus(1) >> pool == 2
        assert psutil.Process(before[0]).num_fds() < min(files, hard)
        assert attached(world, pool) == "3\n"
        pool.scale(4)
        assert plus(1) @ pool == [2, 2, 2, 2]
    assert attached(world, pool) == "4\n"
    pool.scale(3)
    assert {view.rank: view.pid for view in pool.nodes} == before


def test_a_port_that_is_closed_all_the_same_is_had_again(pool: sky.ComputePool, world: World) -> None:
    old = pid_of(pool, 0)
    hard = resource.prlimit(old, resource.RLIMIT_NOFILE)[1]
    resource.prlimit(old, resource.RLIMIT_NOFILE, (psutil.Process(old).num_fds(), hard))
    attached(world, pool)
    with contextlib.suppress(ProcessLookupError):  # it had one left to see that it has none
        resource.prlimit(old, resource.RLIMIT_NOFILE, (hard, hard))
    attached(world, pool)
    world.until(lambda: pid_of(pool, 0) not in (0, old), "another node takes its place")
    world.until(lambda: len([view for view in pool.nodes if view.phase == "ready"]) == 3, "it is ready")
    assert attached(world, pool) == "3\n"
    assert plus(1) @ pool == [2, 2, 2]


_MEMBER = """
import asyncio, sys
from datetime import timedelta
from casty import ActorSystem, Cluster
from skyward_jupyter.agent.door import kept_open
async def main():
    at, *seeds = ("127.82.17.%d:25520" % number for number in range({number}, 0, -1))
    soon = timedelta(seconds=0.5)
    cluster = Cluster(at, tuple(seeds), heartbeat=soon / 5, suspect_after=soon, dead_after=soon, remove_after=soon)
    async with ActorSystem(cluster=cluster) as system, kept_open(at, lambda: system.stats().connections, print):
        print("joined", flush=True)
        while await asyncio.to_thread(sys.stdin.readline):
            print(sum(member.status == "alive" for member in system.members), flush=True)
asyncio.run(main())
"""


def test_a_port_that_opens_anew_as_the_others_had_forgotten_the_node_is_told_as_that(world: World) -> None:
    members = [world.script(_MEMBER.format(number=number)) for number in (1, 2, 3)]
    for member in members:
        assert member.stdout is not None
        assert member.stdout.readline() == "joined\n"
    third = psutil.Process(members[2].pid)
    third.suspend()
    time.sleep(4.0)  # the fault: silent for longer than the others wait
    third.resume()
    assert members[2].stdout is not None
    assert "the other nodes had heard nothing of it" in members[2].stdout.readline()

    def alive(member: subprocess.Popen[str]) -> str:
        assert member.stdin is not None
        assert member.stdout is not None
        member.stdin.write("\n")
        member.stdin.flush()
        return member.stdout.readline()

    world.until(lambda: {alive(member) for member in members} == {"3\n"}, "it has joined them again")


@sky.compute
def count() -> None:
    """Count in a collection, on a data node."""
    sky.counter("counted").increment()


@pytest.mark.parametrize("kind", ["idle", "half"])
def test_strangers_do_not_close_the_port_of_a_data_node(pool: sky.ComputePool, world: World, kind: str) -> None:
    count() @ pool
    before = {view.rank: view.pid for view in pool.nodes}
    hard = resource.prlimit(before[0], resource.RLIMIT_NOFILE)[1]
    resource.prlimit(before[0], resource.RLIMIT_NOFILE, (min(4096, hard), hard))
    with flooded(data_address(address_of(pool, 0)), kind):
        end = time.monotonic() + 3
        while time.monotonic() < end:
            count() >> pool
        assert psutil.Process(before[0]).num_fds() < min(4096, hard)
        assert attached(world, pool, data=True) == "3\n"
        pool.scale(4)
        count() @ pool
    assert attached(world, pool, data=True) == "4\n"
    pool.scale(3)
    assert {view.rank: view.pid for view in pool.nodes} == before


@pytest.mark.parametrize("kind", ["idle", "half"])
def test_strangers_do_not_close_the_http_port(pool: sky.ComputePool, kind: str) -> None:
    headers = {"Authorization": f"Bearer {pool.token}"}
    pid, url = pid_of(pool, 0), pool.endpoints[0]
    hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)[1]
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (4096, hard))
    with flooded(url.removeprefix("http://"), kind):
        for _ in range(10):
            with httpx.Client(base_url=url, headers=headers, trust_env=False, timeout=20) as http:
                assert http.get("/v1/jobs").json() == {"jobs": []}
            assert plus(1) >> pool == 2
        assert psutil.Process(pid).num_fds() < 512
    assert pid_of(pool, 0) == pid
