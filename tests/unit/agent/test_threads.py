"""The share of a machine's cores that the numerical libraries of a slot get."""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from threadpoolctl import ThreadpoolController

from skyward_jupyter.agent import threads
from skyward_jupyter.agent.config import AgentConfig, Peer

CONFIG = AgentConfig("unit", 0, "127.9.9.1:25520", (), "", "")


def nodes(*hosts: str) -> tuple[Peer, ...]:
    """A node on each of these hosts."""
    return tuple(Peer(rank, f"{host}:25520") for rank, host in enumerate(hosts))


def local(count: int) -> tuple[Peer, ...]:
    """Nodes of a pool on this machine."""
    return nodes(*(f"127.9.9.{rank + 1}" for rank in range(count)))


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A machine of eight cores, on which nobody has said anything."""
    monkeypatch.setattr(threads, "_allowed", lambda: 8)
    monkeypatch.setattr(threads, "_granted", lambda: math.inf)
    monkeypatch.setattr(threads, "_told", 0)
    monkeypatch.setattr(threads, "_LOADING", ())
    before = dict(os.environ)
    for name in threads.VARIABLES:
        os.environ.pop(name, None)
    yield
    os.environ.clear()
    os.environ.update(before)


def said() -> set[str | None]:
    """What the variables say."""
    return {os.environ.get(name) for name in threads.VARIABLES}


@pytest.mark.parametrize(("count", "share"), [(1, None), (2, "4"), (3, "2"), (8, "1"), (50, "1")])
def test_nodes_of_a_machine_share_its_cores(count: int, share: str | None) -> None:
    threads.divide(CONFIG, local(count))
    assert said() == {share}


@pytest.mark.parametrize(("executor", "share"), [("process", "1"), ("thread", "4")])
def test_slots_that_are_processes_share_too(executor: str, share: str) -> None:
    threads.divide(replace(CONFIG, concurrency=4, executor=executor), local(2))  # type: ignore[arg-type]
    assert said() == {share}


@pytest.mark.parametrize(
    ("hosts", "share"),
    [(("10.0.0.1", "10.0.0.2"), None), (("10.0.0.1", "10.0.0.1"), "4"), (("[fd00::1]", "[fd00::1]", "10.0.0.2"), "4")],
)
def test_nodes_on_other_machines_share_only_their_own(hosts: tuple[str, ...], share: str | None) -> None:
    threads.divide(replace(CONFIG, address=f"{hosts[0]}:25520", renewed=True), nodes(*hosts))
    assert said() == {share}


def test_what_a_control_group_grants_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "_granted", lambda: 2.5)
    threads.divide(CONFIG, local(1))
    assert said() == {"3"}
    threads.divide(CONFIG, local(2))
    assert said() == {"1"}


@pytest.mark.parametrize(
    ("files", "cores"),
    [
        ({"proc": "0::/a/b", "a/cpu.max": "150000 100000", "a/b/cpu.max": "max 100000"}, 1.5),
        ({"proc": "0::/gone", "cpu.max": "400000 100000"}, 4.0),
        ({"proc": "0::/", "other": ""}, math.inf),
        (
            {
                "proc": "3:memory:/m\n4:cpu,cpuacct:/c\n0::/",
                "cpu/c/cpu.cfs_quota_us": "200000",
                "cpu/c/cpu.cfs_period_us": "100000",
            },
            2.0,
        ),
        (
            {"proc": "4:cpu:/c", "cpu/c/cpu.cfs_quota_us": "-1", "cpu/c/cpu.cfs_period_us": "100000"},
            math.inf,
        ),
        ({"proc": "0::/", "cpu.max": "nonsense"}, math.inf),
    ],
    ids=["around it", "of a container", "none", "version 1", "version 1, no limit", "not understood"],
)
def test_control_groups(files: dict[str, str], cores: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.setattr(threads, "_GROUPS", tmp_path)
    monkeypatch.setattr(threads, "_MINE", tmp_path / "proc")
    assert threads._granted() == cores


def test_whoever_sets_the_deciding_variable_decides_for_all() -> None:
    os.environ[threads.DECIDING] = "6,2"
    threads.divide(CONFIG, local(8))
    assert said() == {"6,2", None}


def test_a_variable_of_one_library_counts_for_that_one() -> None:
    os.environ["MKL_NUM_THREADS"] = "5"
    threads.divide(CONFIG, local(8))
    assert os.environ["MKL_NUM_THREADS"] == "5"
    assert said() == {"5", "1"}


def test_the_share_follows_the_size_of_the_pool() -> None:
    for count, share in ((4, "2"), (8, "1"), (2, "4"), (1, None), (2, "4")):
        threads.divide(CONFIG, local(count))
        assert said() == {share}


def test_what_user_code_set_meanwhile_stays() -> None:
    threads.divide(CONFIG, local(4))
    os.environ["OPENBLAS_NUM_THREADS"] = "7"
    threads.divide(CONFIG, local(8))
    assert os.environ["OPENBLAS_NUM_THREADS"] == "7"
    assert os.environ[threads.DECIDING] == "1"
    os.environ[threads.DECIDING] = "3"
    threads.divide(CONFIG, local(2))
    assert os.environ[threads.DECIDING] == "3"
    assert os.environ["MKL_NUM_THREADS"] == "1"


def test_libraries_that_are_loaded_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    import numpy as np  # brings OpenBLAS

    monkeypatch.setattr(threads, "_LOADING", (np.__name__,))
    libraries = [it for it in ThreadpoolController().lib_controllers if it.user_api == "blas"]
    before = [it.num_threads for it in libraries]
    assert libraries
    try:
        for library in libraries:
            library.set_num_threads(4)
        threads.divide(CONFIG, local(2))
        threads.divide(CONFIG, local(8))
        assert {it.num_threads for it in libraries} == {1}
        libraries[0].set_num_threads(2)  # as user code may
        threads.divide(CONFIG, local(2))
        assert [it.num_threads for it in libraries] == [2, *[4] * (len(libraries) - 1)]
    finally:
        for library, count in zip(libraries, before, strict=True):
            library.set_num_threads(count)


def test_torch_and_numexpr_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    class Library:
        def __init__(self) -> None:
            self.count = 8

        def get_num_threads(self) -> int:
            return self.count

        def set_num_threads(self, count: int) -> None:
            self.count = count

    torch, numexpr = Library(), Library()
    monkeypatch.setitem(sys.modules, "torch", torch)
    monkeypatch.setitem(sys.modules, "numexpr", numexpr)
    monkeypatch.setattr(threads, "_LOADING", ("torch",))
    threads.divide(CONFIG, local(4))
    assert (torch.count, numexpr.count) == (2, 2)
    torch.count = 3
    threads.divide(CONFIG, local(8))
    assert (torch.count, numexpr.count) == (3, 1)
