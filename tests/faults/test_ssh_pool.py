"""Machines that die, links that break, kernels that end: what becomes of a pool on machines over SSH."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

import skyward as sky
from skyward_jupyter.actors.messages import Gone
from skyward_jupyter.fleets import site
from skyward_jupyter.fleets.admission import AT_ONCE, WITHIN
from skyward_jupyter.fleets.remote import RemoteFleet
from skyward_jupyter.runtime.bridge import wait
from tests.far import Machines
from tests.faults.conftest import World

NAME = f"sshfault{os.getpid()}"

SCRIPT = """
import os, sys, time
import skyward as sky

@sky.compute
def node():
    return sky.instance_info().node

pool = sky.ComputePool(
    provider=sky.SSH({hosts!r}, key={key!r}, known_hosts={known!r}), name={name!r}, ttl={ttl}, timeout=300
)
pool.start()
print(node() @ pool, flush=True)
sys.stdin.readline()
{then}
"""


@sky.compute
def node() -> int:
    return sky.instance_info().node


@sky.compute
def told(mark: str, lines: int, pause: float) -> list[int]:
    """Prints lines, slowly; `mark` appears when it begins."""
    Path(mark).touch()
    for line in range(lines):
        print(f"line {line}")
        time.sleep(pause)
    return list(range(lines))


@sky.compute
def wait_long(mark: str) -> int:
    Path(mark).touch()
    time.sleep(600)
    return 0


@pytest.fixture
def pool(machines: Machines, world: World) -> Iterator[sky.ComputePool]:
    with machines.pool(NAME, ttl=20.0, timeout=300) as made:
        yield made
    world.until(lambda: machines.gone(NAME), "nothing of the pool is left")


async def lost_in_a_crowd(pool: sky.ComputePool, rank: int) -> None:
    """A node is taken for lost while its agent runs, and so many others join that the next one waits for its turn."""
    hub = pool._inner.hub
    assert isinstance(hub.fleet, RemoteFleet)
    for other in range(AT_ONCE):
        hub.fleet._admission.ask(1000 + other, lambda: None)
    hub.node(rank).tell(Gone("it did not answer"))


def ready(pool: sky.ComputePool, nodes: int) -> bool:
    return [view.phase for view in pool.nodes] == ["ready"] * nodes


def script(world: World, machines: Machines, name: str, then: str, ttl: float) -> subprocess.Popen[str]:
    provider = machines.provider()
    made = world.script(
        SCRIPT.format(
            hosts=list(provider.hosts), key=provider.key, known=provider.known_hosts, name=name, ttl=ttl, then=then
        )
    )
    assert made.stdin is not None
    assert made.stdout is not None
    assert made.stdout.readline() == "[0, 1, 2]\n"
    made.stdin.write("go on\n")
    made.stdin.flush()
    return made


@pytest.mark.parametrize("number", [0, 2])
def test_an_agent_that_dies_is_replaced_on_its_machine(
    pool: sky.ComputePool, machines: Machines, world: World, number: int
) -> None:
    old = pool.nodes[number].pid
    os.kill(old, signal.SIGKILL)
    world.until(lambda: ready(pool, 3) and pool.nodes[number].pid != old, "the node is back", within=60)
    assert node() @ pool == [0, 1, 2]


def test_a_machine_that_dies_idle_and_comes_back(pool: sky.ComputePool, machines: Machines, world: World) -> None:
    old = pool.nodes[1].pid
    machines.kill(1, NAME)
    machines.servers[1].start()
    world.until(lambda: ready(pool, 3) and pool.nodes[1].pid != old, "the node is back", within=90)
    assert node() @ pool == [0, 1, 2]


@pytest.mark.timeout(300)
def test_a_machine_that_dies_running_and_stays_away(
    pool: sky.ComputePool, machines: Machines, world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What ran there is told, and the pool goes on without it, also when it was the one that knew of the kernel."""
    monkeypatch.setattr(site, "REACH_WITHIN", 10.0)
    futures = [wait_long(f"{tmp_path}/{n}").with_retries(0) > pool for n in range(3)]
    world.until(lambda: len(list(tmp_path.iterdir())) == 3, "all run")
    machines.kill(0, NAME)
    try:
        world.until(lambda: any(future.done() for future in futures), "the loss is told", within=90)
        lost = [future for future in futures if future.done()]
        assert len(lost) == 1
        with pytest.raises(sky.NodeLost, match="node 0 was lost"):
            lost[0].result()
        # That takes several times the ttl.
        world.until(lambda: len(pool.nodes) == 2, "the pool goes on without it", within=150)
        assert not [future for future in futures if future.done() and future not in lost]
        pool.interrupt()
        world.until(lambda: all(future.done() for future in futures), "the others end")
        assert node() @ pool == [1, 2]
    finally:
        machines.servers[0].start()


def test_an_sshd_that_is_restarted_costs_nothing(
    pool: sky.ComputePool, machines: Machines, world: World, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    mark = tmp_path / "began"
    pids = [view.pid for view in pool.nodes]
    run = told(str(mark), 60, 0.1).with_retries(0) > pool
    world.until(mark.exists, "it runs")
    for server in machines.servers:
        server.stop()
    for server in machines.servers:
        server.start()
    assert run.result(90) == list(range(60))
    said = [line.removeprefix("[").partition("] ")[2] for line in capfd.readouterr().out.splitlines() if "line" in line]
    assert said == [f"line {n}" for n in range(60)]
    assert [view.pid for view in pool.nodes] == pids
    assert node() @ pool == [0, 1, 2]
    # The template is obeyed again, too.
    os.kill(pids[0], signal.SIGKILL)
    world.until(lambda: ready(pool, 3) and pool.nodes[0].pid != pids[0], "the node is back", within=60)


def test_machines_that_stand_alone_are_kept_each_for_itself(machines: Machines, world: World, tmp_path: Path) -> None:
    name = f"lone{os.getpid()}"
    with machines.pool(name, provider=machines.provider(cluster=False), ttl=3.0) as pool:
        pids = [view.pid for view in pool.nodes]
        assert told(str(tmp_path / "began"), 12, 1.0) @ pool == [list(range(12))] * 3
        assert [view.pid for view in pool.nodes] == pids
    world.until(lambda: machines.gone(name), "nothing is left")


@pytest.mark.parametrize("after", [0.3, 0.8, 1.2, 1.6, 2.0])
def test_an_interrupted_start_leaves_nothing(machines: Machines, world: World, after: float) -> None:
    """It is interrupted while it logs in, prepares the machines, starts templates, or waits for nodes."""
    name = f"cut{os.getpid()}"
    provider = machines.provider()
    text = f"""
import os, signal, threading
import skyward as sky
provider = sky.SSH({list(provider.hosts)!r}, key={provider.key!r}, known_hosts={provider.known_hosts!r})
pool = sky.ComputePool(provider=provider, name={name!r})
threading.Timer({after}, os.kill, (os.getpid(), signal.SIGINT)).start()
try:
    pool.start()
    print("started", flush=True)
    pool.stop()
except KeyboardInterrupt:
    print("interrupted", flush=True)
"""
    made = world.script(text)
    out, _ = made.communicate(timeout=60)
    assert out.strip() in ("started", "interrupted", "started\ninterrupted")
    world.until(lambda: machines.gone(name), "nothing is left of a pool whose start was interrupted")


def test_kill_9_of_the_kernel_leaves_nothing_after_the_ttl(machines: Machines, world: World) -> None:
    name = f"killed{os.getpid()}"
    made = script(world, machines, name, "time.sleep(600)", ttl=5.0)
    killed = time.monotonic()
    made.kill()
    made.wait(20)
    assert len(machines.processes(name)) == 9
    world.until(lambda: machines.gone(name), "nothing is left", within=40)
    assert time.monotonic() - killed > 2.0


def test_a_blocked_kernel_keeps_its_pool_and_its_end_is_the_pool_s(machines: Machines, world: World) -> None:
    name = f"blocked{os.getpid()}"
    then = "end = time.time() + 15\nwhile time.time() < end: sum(range(10**6))\nprint(node() @ pool, flush=True)"
    made = script(world, machines, name, then, ttl=3.0)
    assert made.stdout is not None
    pids = {process.pid for process in machines.processes(name)}
    assert made.stdout.readline() == "[0, 1, 2]\n"
    assert {process.pid for process in machines.processes(name)} <= pids
    assert made.wait(30) == 0
    world.until(lambda: machines.gone(name), "nothing is left after an end in order")


def test_an_end_in_order_does_not_wait_for_the_ttl(machines: Machines, world: World) -> None:
    name = f"ended{os.getpid()}"
    made = script(world, machines, name, "", ttl=600)
    assert made.wait(30) == 0
    world.until(lambda: machines.gone(name), "nothing is left")


def test_another_kernel_takes_it_over(machines: Machines, world: World) -> None:
    """The kernel was killed; who attaches has the nodes as they were."""
    name = f"left{os.getpid()}"
    made = script(world, machines, name, "time.sleep(600)", ttl=60.0)
    before = {process.pid for process in machines.processes(name)}
    made.kill()
    made.wait(20)
    pool = sky.attach(name)
    try:
        assert node() @ pool == [0, 1, 2]
        assert {process.pid for process in machines.processes(name)} == before
        old = pool.nodes[1].pid
        os.kill(old, signal.SIGKILL)
        world.until(lambda: ready(pool, 3) and pool.nodes[1].pid != old, "a node is replaced", within=60)
        assert node() @ pool == [0, 1, 2]
    finally:
        pool.stop()
    world.until(lambda: machines.gone(name), "nothing is left")


def test_what_cannot_be_removed_is_kept_in_the_record_until_it_is(machines: Machines, world: World) -> None:
    name = f"kept{os.getpid()}"
    pool = machines.pool(name, timeout=300).start()
    machines.kill(2, name)
    try:
        pool.stop()
        assert len(machines.files(name)) == 1
        (record,) = world.records(name)
        assert machines.names[2] in record.read_text()
    finally:
        machines.servers[2].start()
    with machines.pool(f"next{os.getpid()}"):
        world.until(lambda: machines.gone(name) and not world.records(name), "the next pool's start removes it")


def test_a_lost_node_and_the_one_that_waits_to_follow_it_end_when_neither_is_wanted(
    pool: sky.ComputePool, machines: Machines, world: World
) -> None:
    agent = pool.nodes[2].pid
    wait(lost_in_a_crowd(pool, 2), "")
    world.until(lambda: pool.nodes[2].phase == "starting", "another one is to follow")
    assert psutil.pid_exists(agent)
    started = time.monotonic()
    pool.scale(2)
    assert time.monotonic() - started < WITHIN
    assert node() @ pool == [0, 1]
    world.until(lambda: not machines.of_node(NAME, 2), "nothing of it is left")
