"""GPUs are read when somebody wants to know, one command at a time."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from skyward_jupyter.agent import gpus
from skyward_jupyter.agent.accelerators import GpuLoad
from skyward_jupyter.agent.gpus import GpuMeter

TEXT = """\
0, GPU-5f2b1d9e, NVIDIA H100 80GB HBM3, 81559, 4, 0, 31, 71.42
1, GPU-8c1e77a0, NVIDIA H100 80GB HBM3, 81559, 70312, 98, 63, 612.90
"""

type Command = Callable[[str], str]


@pytest.fixture
def command(tmp_path: Path) -> Command:
    """Puts a nvidia-smi that does this on a path of its own, and counts its runs."""

    def put(code: str) -> str:
        path = tmp_path / "nvidia-smi"
        path.write_text(f"#!/bin/sh\necho run >> {tmp_path}/runs\n{code}\n")
        path.chmod(0o755)
        return str(tmp_path)

    return put


def runs(path: str) -> int:
    counted = Path(path) / "runs"
    return len(counted.read_text().splitlines()) if counted.exists() else 0


async def test_it_reads_the_gpus_of_the_node(command: Command) -> None:
    meter = GpuMeter([1], command(f"cat <<'END'\n{TEXT}END"))
    assert meter.last() == ()
    assert await meter.now() == (GpuLoad(1, 70312.0, 81559.0, 98.0, 63.0, 612.9),)
    assert meter.last() == await meter.now()


async def test_a_reading_serves_all_who_look_meanwhile(command: Command) -> None:
    path = command(f"cat <<'END'\n{TEXT}END")
    meter = GpuMeter([0, 1], path)
    found = await asyncio.gather(*(meter.now() for _ in range(20)))
    assert [len(each) for each in found] == [2] * 20
    assert runs(path) == 1


async def test_without_gpus_or_without_the_command_nothing_runs(command: Command, tmp_path: Path) -> None:
    path = command("exit 0")
    assert await GpuMeter([], path).now() == ()
    assert runs(path) == 0
    assert await GpuMeter([0], str(tmp_path / "empty")).now() == ()


@pytest.mark.parametrize("code", ["echo 'NVIDIA-SMI has failed'; exit 9", "exit 0", "printf '\\377\\n'"])
async def test_a_driver_in_trouble_is_no_reading(command: Command, code: str) -> None:
    assert await GpuMeter([0], command(code)).now() == ()


async def test_one_that_hangs_is_ended_and_holds_nobody_up(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpus, "WITHIN", 0.3)
    path = command(f"echo $$ > $(dirname $0)/pid; exec {sys.executable} -c 'while True: pass'")
    meter = GpuMeter([0], path)
    assert await meter.now() == ()
    async with asyncio.timeout(20):
        if meter._reading is not None:
            await meter._reading
    with pytest.raises(ProcessLookupError):
        os.kill(int((Path(path) / "pid").read_text()), 0)


async def test_an_old_reading_is_none(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    meter = GpuMeter([0], command(f"cat <<'END'\n{TEXT}END"))
    assert len(await meter.now()) == 1
    monkeypatch.setattr(gpus, "STALE", 0.0)
    assert meter.last() == ()
