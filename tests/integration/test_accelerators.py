"""GPUs of nodes, as their driver names them: which process sees which, and what is told of them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

import pytest

import skyward as sky
from skyward_jupyter.agent.accelerators import Accelerator
from skyward_jupyter.fleets import local

GPUS = tuple(Accelerator(index, f"GPU-{index}", "NVIDIA H100 80GB HBM3", 0) for index in range(4))


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """This machine with four GPUs, as far as anybody can tell who does not use one."""
    monkeypatch.setattr(local, "here", lambda: GPUS)
    for name in ("CUDA_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER"):
        monkeypatch.delenv(name, raising=False)


@sky.compute
def seen() -> tuple[str | None, str | None, int, int]:
    info = sky.instance_info()
    order, devices = map(os.environ.get, ("CUDA_DEVICE_ORDER", "CUDA_VISIBLE_DEVICES"))
    return order, devices, len(info.accelerators), info.total_accelerators


@pytest.fixture
def start(machine: None) -> Iterator[Callable[..., sky.ComputePool]]:
    made: list[sky.ComputePool] = []

    def pool(**how: object) -> sky.ComputePool:
        made.append(sky.ComputePool(**how).start())  # type: ignore[arg-type]
        return made[-1]

    yield pool
    for each in made:
        each.stop()


def test_each_node_has_its_share(start: Callable[..., sky.ComputePool]) -> None:
    pool = start(nodes=2)
    assert list(seen() @ pool) == [("PCI_BUS_ID", "0,1", 2, 4), ("PCI_BUS_ID", "2,3", 2, 4)]


def test_each_slot_has_its_share_of_the_nodes(start: Callable[..., sky.ComputePool]) -> None:
    pool = start(nodes=1, worker=sky.Worker(concurrency=4))
    found = {seen() >> pool for _ in range(8)}
    found |= set(sky.gather(*(seen() for _ in range(40))) >> pool)
    assert {devices for _, devices, _, _ in found} <= {"0", "1", "2", "3"}
    assert len(found) > 1


def test_what_the_user_says_stays(start: Callable[..., sky.ComputePool], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3")
    assert list(seen() @ start(nodes=2)) == [(None, "3", 2, 4)] * 2


def test_a_node_that_comes_later_counts(start: Callable[..., sky.ComputePool]) -> None:
    pool = start(nodes=1)
    pool.scale(2)
    assert list(seen() @ pool) == [("PCI_BUS_ID", "0,1,2,3", 4, 6), ("PCI_BUS_ID", "2,3", 2, 6)]


def test_without_a_gpu_nothing_is_set(start: Callable[..., sky.ComputePool], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local, "here", lambda: ())
    assert list(seen() @ start(nodes=1)) == [(None, None, 0, 0)]
