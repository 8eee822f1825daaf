"""Pools on machines over SSH: the same calls, cells and streams as on this machine, and nothing left behind."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest

import skyward as sky
from skyward_jupyter.errors import ProvisioningFailed, UsageError
from skyward_jupyter.fleets import site
from skyward_jupyter.runtime.bridge import wait
from tests.far import Machines
from tests.faults.starts import steps
from tests.integration.conftest import Until

#: Others may run these tests on the same machine.
NAME = f"ssh{os.getpid()}"
IMAGE = sky.Image(pip=[f"numpy=={np.__version__}"])


@sky.compute
def node() -> int:
    return sky.instance_info().node


@sky.compute
def double(x: np.ndarray) -> np.ndarray:
    return x * 2


@sky.compute
def where() -> tuple[str, str, str]:
    return sys.executable, os.getcwd(), os.environ.get("TOLD", "")


@sky.compute
def count(n: int) -> Iterator[int]:
    yield from range(n)


@sky.compute
def say(text: str) -> str:
    print(text)
    return text


@sky.compute
def fails() -> None:
    raise LookupError("over there")


@pytest.fixture(scope="module")
def pool(machines: Machines) -> Iterator[sky.ComputePool]:
    with machines.pool(NAME, env={"TOLD": "yes"}, image=IMAGE, timeout=300) as made:
        yield made
    assert machines.gone(NAME)


def test_it_has_a_node_on_each_machine(pool: sky.ComputePool, machines: Machines) -> None:
    assert pool.size == 3
    assert [view.address.partition(":")[0] for view in pool.nodes] == [s.addresses[0] for s in machines.servers]
    assert node() @ pool == [0, 1, 2]
    assert "3 ssh nodes, ready" in repr(pool)


def test_a_node_is_ended_and_another_has_its_place_on_its_machine(pool: sky.ComputePool) -> None:
    """What ``%sky restart 1 --node`` does."""
    before = {view.rank: (view.address.partition(":")[0], view.pid) for view in pool.nodes}
    wait(pool._inner.renew_node(1), "pool.scale_async(...)")
    after = {view.rank: (view.address.partition(":")[0], view.pid) for view in pool.nodes}
    assert after[1][0] == before[1][0]
    assert after[1][1] != before[1][1]
    assert (after[0], after[2]) == (before[0], before[2])
    assert node() @ pool == [0, 1, 2]


def test_user_code_has_the_machine_s_python_and_a_directory_of_its_own(
    pool: sky.ComputePool, machines: Machines
) -> None:
    places = where() @ pool
    assert all(executable.startswith(str(machines.home)) for executable, _, _ in places)
    assert len({directory for _, directory, _ in places}) == 3
    assert {told for _, _, told in places} == {"yes"}


def test_calls_and_errors(pool: sky.ComputePool) -> None:
    assert set(sky.gather(*(node() for _ in range(6))) >> pool) <= {0, 1, 2}
    with pytest.raises(LookupError, match="over there"):
        fails() >> pool


def test_big_arrays_go_there_and_back(pool: sky.ComputePool) -> None:
    given = np.arange(4_000_000, dtype=np.int64)
    for doubled in double(given) @ pool:
        assert np.array_equal(doubled, given * 2)


def test_generators_stream(pool: sky.ComputePool) -> None:
    assert list(count(200) >> pool) == list(range(200))


def test_collections_are_shared(pool: sky.ComputePool) -> None:
    @sky.compute
    def put() -> int:
        shared = sky.dict("far")
        shared[sky.instance_info().node] = "here"
        return len(shared)

    assert len(put() @ pool) == 3
    assert dict(sky.dict("far", pool=pool.name)) == {0: "here", 1: "here", 2: "here"}


def test_output_comes_from_there(pool: sky.ComputePool, capfd: pytest.CaptureFixture[str]) -> None:
    assert say("from afar") @ pool == ["from afar"] * 3
    assert capfd.readouterr().out.count("from afar") == 3


def test_the_http_api_is_reached_through_the_tunnel(pool: sky.ComputePool, until: Until) -> None:
    until(lambda: len(pool.endpoints) == 3, "every node serves HTTP")
    for url in pool.endpoints.values():
        assert url.startswith("http://127.0.0.1:")
        assert httpx.get(f"{url}/health", trust_env=False).text == "ok\n"
    shown = {"Authorization": f"Bearer {pool.token}"}
    assert "skyward" in httpx.get(f"{pool.endpoints[1]}/metrics", headers=shown, trust_env=False).text


def test_scaling_down_and_up(pool: sky.ComputePool, machines: Machines, until: Until) -> None:
    pool.scale(1)
    assert node() @ pool == [0]
    until(lambda: len(machines.files(NAME)) == 1, "the machines that went keep nothing")
    pool.scale(3)
    assert node() @ pool == [0, 1, 2]
    with pytest.raises(UsageError, match="on 3 hosts has 1 to 3"):
        pool.scale(4)


def test_certificates_and_token_are_private_there(pool: sky.ComputePool, machines: Machines) -> None:
    found = [path for directory in machines.files(NAME) for path in (directory / "certificates").iterdir()]
    assert len(found) == 12
    assert {path.stat().st_mode & 0o777 for path in found} == {0o600}
    assert pool.token not in "".join(path.read_text() for path in Path(os.environ["SKYWARD_STATE_DIR"]).glob("*.json"))


def test_the_phases_of_a_start_are_told(pool: sky.ComputePool) -> None:
    log = pool.nodes[0].log
    assert [phase for phase in ("connecting", "starting its template", "joining", "joined") if phase in log] == [
        "connecting",
        "starting its template",
        "joining",
        "joined",
    ]
    assert any("looking what is there" in phase for phase in log)


def test_the_second_start_is_quick_and_stop_leaves_nothing(pool: sky.ComputePool, machines: Machines) -> None:
    began = time.monotonic()
    with machines.pool(f"second{NAME}", image=IMAGE) as other:
        assert time.monotonic() - began < 30
        # It finds what the first one made.
        assert {step for number in range(3) for step in steps(other, number)} == {"look", "files"}
        assert node() @ other == [0, 1, 2]
        # Two pools share the machines, and neither is in the other's way.
        assert node() @ pool == [0, 1, 2]
    assert machines.gone(f"second{NAME}")
    assert node() @ pool == [0, 1, 2]


@pytest.mark.parametrize("place", [0, 2])
def test_a_host_that_does_not_exist_is_named_and_nothing_is_left(
    machines: Machines, monkeypatch: pytest.MonkeyPatch, place: int
) -> None:
    monkeypatch.setattr(site, "REACH_WITHIN", 3.0)
    hosts = machines.names[:2]
    hosts.insert(place, "root@127.255.255.1:1")
    provider = sky.SSH(hosts, key=machines.key)
    with pytest.raises(ProvisioningFailed, match=r"127\.255\.255\.1"):
        sky.ComputePool(provider=provider, name=f"lame{NAME}", timeout=300).start()
    assert machines.gone(f"lame{NAME}")


def test_a_pool_that_follows_its_work_takes_machines_and_gives_them_back(machines: Machines, until: Until) -> None:
    name = f"elastic{NAME}"
    with machines.pool(name, image=IMAGE, nodes=(1, 3)) as pool:
        assert len(machines.files(name)) == 1
        pool.scale(3)
        assert node() @ pool == [0, 1, 2]
        pool.scale(1)
        until(lambda: len(machines.files(name)) == 1, "the machines that went keep nothing")
    assert machines.gone(name)


def test_what_cannot_mean_machines_is_refused(machines: Machines) -> None:
    with pytest.raises(UsageError, match="2 hosts has 1 to 2"):
        sky.ComputePool(provider=sky.SSH(machines.names[:2]), nodes=3)
    with pytest.raises(UsageError, match="twice"):
        sky.SSH(["a", "a"])
    with pytest.raises(UsageError, match="which machines"):
        sky.ComputePool(provider="ssh")  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def lone(machines: Machines) -> Iterator[sky.ComputePool]:
    """Machines that do not reach each other, or so it is said."""
    name = f"lone{NAME}"
    with machines.pool(name, provider=machines.provider(cluster=False), image=IMAGE) as made:
        yield made
    assert machines.gone(name)


def test_machines_that_do_not_reach_each_other(lone: sky.ComputePool) -> None:
    assert node() @ lone == [0, 1, 2]
    assert len({view.address for view in lone.nodes}) == 3
    given = np.arange(1_000_000)
    for doubled in double(given) @ lone:
        assert np.array_equal(doubled, given * 2)
    assert set(sky.gather(*(node() for _ in range(6))) >> lone) <= {0, 1, 2}
    assert list(count(50) >> lone) == list(range(50))


def test_they_can_share_no_collection(lone: sky.ComputePool) -> None:
    @sky.compute
    def use() -> int:
        return len(sky.dict("none"))

    with pytest.raises(sky.NotClustered):
        use() >> lone
    with pytest.raises(sky.NotClustered):
        len(sky.dict("none", pool=lone.name))


def test_they_are_scaled_and_replaced(lone: sky.ComputePool, until: Until) -> None:
    lone.scale(2)
    assert node() @ lone == [0, 1]
    lone.scale(3)
    old = lone.nodes[0].pid
    os.kill(old, signal.SIGKILL)
    until(lambda: lone.nodes[0].pid != old and lone.nodes[0].phase == "ready", "the node is back")
    assert node() @ lone == [0, 1, 2]
