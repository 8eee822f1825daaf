"""Machines of their own as nodes: links that are pulled, machines that die and come back empty."""

from __future__ import annotations

import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

import skyward as sky
from skyward_jupyter.agent.config import HTTP_PORT, PORT
from skyward_jupyter.ssh.dial import KEEPALIVE_COUNT, KEEPALIVE_INTERVAL
from tests.faults.conftest import World
from tests.faults.starts import phase, said, starting, steps
from tests.namespaces import HOME, BareMachine, MakeMachine, python_of

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]

#: Stands at the same place on a machine that shares it.
PYTHON = Path(sys.base_prefix)
LINES = 700
#: A silent link is noticed after so long (seconds), and what a busy machine adds to that.
NOTICED_WITHIN = KEEPALIVE_INTERVAL * (KEEPALIVE_COUNT + 1) + 10


@sky.compute
def node() -> int:
    return sky.instance_info().node


@sky.compute
def told() -> list[int]:
    """Prints lines for longer than the link is down."""
    for line in range(LINES):
        print(f"line {line}")
        time.sleep(0.1)
    return list(range(LINES))


def left(machine: BareMachine) -> list[str]:
    """What a pool still has on a machine: processes, and files."""
    lines = machine.run("ps axo args").splitlines() + machine.run(f"ls {HOME}/.skyward/pools").splitlines()
    return [line for line in lines if "skyward" in line or line.startswith("bare-")]


@pytest.fixture
def three(
    bare_machine: MakeMachine, world: World, kept: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[list[BareMachine], sky.ComputePool]]:
    """Three machines with the Python of these tests, the first of them started, and a pool that is not."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(kept / "cache"))
    machines = [bare_machine(shared=(PYTHON,), setup=python_of(PYTHON), started=False) for _ in range(3)]
    for machine in machines[1:]:
        # A user has one key for all of them.
        machine.accept(machines[0].key)
    machines[0].start()
    known = tmp_path / "known"
    known.touch()
    hosts = [f"root@{machine.address}" for machine in machines]
    provider = sky.SSH(hosts, key=machines[0].key, known_hosts=known)
    yield machines, sky.ComputePool(provider=provider, name="bare", ttl=300.0, timeout=300)
    for machine in machines:
        world.until(lambda machine=machine: not left(machine), "nothing is left on any machine")  # type: ignore[misc]


@pytest.fixture
def far(
    three: tuple[list[BareMachine], sky.ComputePool],
) -> Iterator[tuple[list[BareMachine], sky.ComputePool]]:
    """The same with all of them, and the pool started."""
    machines, pool = three
    for machine in machines[1:]:
        machine.start()
    with pool:
        yield three


def test_machines_that_die_while_they_boot_and_while_they_are_prepared(
    three: tuple[list[BareMachine], sky.ComputePool], world: World
) -> None:
    """Both come back as they were in the beginning, and the same start goes on; the third is not touched by it."""
    machines, pool = three
    with starting(pool) as started:
        world.until(lambda: said(pool, 2).startswith("not yet: "), "it is said what is waited for", within=60)
        machines[2].start()
        machines[2].kill()
        machines[1].start()
        world.until(lambda: "packages" in steps(pool, 1), "packages are installed", within=100)
        machines[1].kill()
        for machine in machines[1:]:
            machine.start()
        started.result(200)
        assert node() @ pool == [0, 1, 2]
        counted = [{step: steps(pool, number).count(step) for step in ("look", "packages")} for number in range(2)]
    assert counted == [{"look": 1, "packages": 1}, {"look": 2, "packages": 2}]


def test_http_is_reached_through_the_tunnel_only(far: tuple[list[BareMachine], sky.ComputePool]) -> None:
    machines, pool = far
    for rank, machine in enumerate(machines):
        listening = {line.split()[3] for line in machine.run("ss -Hltn").splitlines()}
        assert f"{machine.address}:{PORT}" in listening
        assert f"127.0.0.1:{HTTP_PORT}" in listening
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((machine.address, HTTP_PORT), 5)
        assert httpx.get(f"{pool.endpoints[rank]}/health", trust_env=False).text == "ok\n"


def test_links_that_are_down_for_a_minute_cost_nothing(
    far: tuple[list[BareMachine], sky.ComputePool], world: World, capfd: pytest.CaptureFixture[str]
) -> None:
    machines, pool = far
    pids = [view.pid for view in pool.nodes]
    run = told().with_retries(0) > pool
    world.until(lambda: any(view.running for view in pool.nodes), "it runs")
    deadline = time.monotonic() + 60
    for machine in machines:
        machine.link_down()
    world.until(
        lambda: all(phase(pool, number).startswith("not reachable since ") for number in range(3)),
        "it is shown",
        within=NOTICED_WITHIN,
    )
    world.until(lambda: time.monotonic() > deadline, "a minute has passed", within=61)
    for machine in machines:
        machine.link_up()
    world.until(lambda: [phase(pool, number) for number in range(3)] == ["ready"] * 3, "they are whole", within=60)
    assert run.result(150) == list(range(LINES))
    said = [line.partition("] ")[2] for line in capfd.readouterr().out.splitlines() if "] line" in line]
    assert said == [f"line {n}" for n in range(LINES)]
    assert node() @ pool == [0, 1, 2]
    assert [view.pid for view in pool.nodes] == pids


def test_a_machine_that_dies_and_comes_back_empty(far: tuple[list[BareMachine], sky.ComputePool], world: World) -> None:
    machines, pool = far
    old = pool.nodes[0].pid
    machines[0].kill()
    machines[0].start()
    world.until(
        lambda: len(pool.nodes) == 3 and pool.nodes[0].pid not in (0, old) and pool.nodes[0].phase == "ready",
        "the node is back",
        within=200,
    )
    assert node() @ pool == [0, 1, 2]
