"""GPUs of machines over SSH, as their ``nvidia-smi`` names them."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

import skyward as sky
from skyward_jupyter.agent.accelerators import GpuLoad
from tests.far import Machines
from tests.integration.conftest import Until

NAME = f"gpus{os.getpid()}"
LINES = "".join(f"echo '{gpu}, GPU-{gpu}, NVIDIA H100 80GB HBM3, 81559, 4, 98, 63, 71.5'\n" for gpu in range(2))


@pytest.fixture
def pool(machines: Machines) -> Iterator[sky.ComputePool]:
    command = machines.home / "tools" / "nvidia-smi"
    command.parent.mkdir(exist_ok=True)
    command.write_text(f"#!/bin/sh\n{LINES}")
    command.chmod(0o755)
    with machines.pool(NAME, worker=sky.Worker(concurrency=2), timeout=300) as made:
        yield made
    command.unlink()


@sky.compute
def seen() -> tuple[str | None, tuple[str, ...], int]:
    info = sky.instance_info()
    return os.environ.get("CUDA_VISIBLE_DEVICES"), info.accelerators, info.total_accelerators


def test_slots_have_their_share_and_metrics_tell_of_them(pool: sky.ComputePool, until: Until) -> None:
    found = list(seen() @ pool)
    assert {devices for devices, _, _ in found} <= {"0", "1"}
    assert {(names, total) for _, names, total in found} == {(("NVIDIA H100 80GB HBM3",) * 2, 6)}
    told: dict[int, tuple[GpuLoad, ...]] = {}
    off = pool.on(sky.events.Metric, lambda it: told.update({it.node: it.gpus}))
    until(lambda: len(told) == 3 and all(told.values()), "the GPUs of all machines were read")
    off()
    assert told[2] == tuple(GpuLoad(gpu, 4.0, 81559.0, 98.0, 63.0, 71.5) for gpu in range(2))
