"""GPUs of nodes, as their driver names them: which process sees which, and what is told of them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import skyward as sky
from skyward_jupyter.agent.accelerators import Accelerator, GpuLoad
from skyward_jupyter.fleets import local
from tests.integration.conftest import Until

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


def test_metrics_tell_what_the_gpus_do(
    start: Callable[..., sky.ComputePool], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, until: Until
) -> None:
    command = tmp_path / "nvidia-smi"
    lines = "".join(f"echo '{gpu}, GPU-{gpu}, NVIDIA H100 80GB HBM3, 81559, {gpu}, 98, 63, 71.5'\n" for gpu in range(4))
    command.write_text(f"#!/bin/sh\necho run >> {tmp_path}/runs\n{lines}")
    command.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    pool = start(nodes=2)
    seen() @ pool
    assert not (tmp_path / "runs").exists(), "nobody looks"
    found: dict[int, tuple[GpuLoad, ...]] = {}
    off = pool.on(sky.events.Metric, lambda it: found.update({it.node: it.gpus}))
    until(lambda: len(found) == 2 and all(found.values()), "the GPUs of both nodes were read")
    off()
    assert [gpu.index for gpu in found[0] + found[1]] == [0, 1, 2, 3]
    assert found[1][0] == GpuLoad(2, 2.0, 81559.0, 98.0, 63.0, 71.5)
