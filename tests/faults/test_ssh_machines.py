"""Machines of their own as nodes: links that are pulled, machines that die and come back empty."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import skyward as sky
from skyward_jupyter.ssh.image import here
from tests.faults.conftest import World
from tests.namespaces import BareMachine, MakeMachine

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]

#: Stands at the same place on a machine that shares it.
PYTHON = Path(sys.base_prefix)
LINES = 900


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


def with_python(machine: BareMachine) -> None:
    """Give a machine the Python of these tests."""
    machine.run(f"ln -s {PYTHON}/bin/python{here()} /usr/local/bin/python{here()}; chmod 755 /root")


@pytest.fixture
def far(
    bare_machine: MakeMachine, kept: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[list[BareMachine], sky.ComputePool]]:
    """Three machines, and a pool on them."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(kept / "cache"))
    machines = [bare_machine(shared=(PYTHON,)) for _ in range(3)]
    for machine in machines:
        with_python(machine)
        # A user has one key for all of them.
        machine.run(f"echo '{machines[0].key.with_suffix('.pub').read_text().strip()}' >> /root/.ssh/authorized_keys")
    known = tmp_path / "known"
    known.touch()
    hosts = [f"root@{machine.address}" for machine in machines]
    provider = sky.SSH(hosts, key=machines[0].key, known_hosts=known)
    with sky.ComputePool(provider=provider, name="bare", ttl=300.0, timeout=300) as made:
        yield machines, made
    for machine in machines:
        assert "skyward: " not in machine.run("ps axo args")
        assert machine.run("ls /root/.skyward/pools") == ""


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
    world.until(lambda: time.monotonic() > deadline, "a minute has passed", within=61)
    for machine in machines:
        machine.link_up()
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
    with_python(machines[0])
    world.until(
        lambda: len(pool.nodes) == 3 and pool.nodes[0].pid not in (0, old) and pool.nodes[0].phase == "ready",
        "the node is back",
        within=200,
    )
    assert node() @ pool == [0, 1, 2]
