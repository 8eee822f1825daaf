"""GPUs as drivers name them, and which slot sees which."""

from __future__ import annotations

from pathlib import Path

import pytest

from skyward_jupyter.agent.accelerators import (
    COMMAND,
    FIELDS,
    Accelerator,
    GpuLoad,
    accelerators,
    here,
    loads,
    share,
    visible,
)

TWO = """\
0, GPU-5f2b1d9e-0d5c-8a3f-2c5e-6a0e1f9b7c11, NVIDIA H100 80GB HBM3, 81559, 4, 0, 31, 71.42
1, GPU-8c1e77a0-91f4-1f0b-b0a2-3d9c54e0aa72, NVIDIA H100 80GB HBM3, 81559, 70312, 98, 63, 612.90
"""
#: A part of a GPU has no load of its own; an old card knows no power; a driver in trouble says so in a field.
ODD = """\
0, GPU-09cb2925-9d01-5ca4-810b-6cdebe86b71a, NVIDIA H100L-2-24C, [N/A], [N/A], [N/A], [N/A], [N/A]
1, GPU-101b1cf0-fdf7-b374-a62c-76b25134fcf2, GeForce GTX 770, 2004, 0, [Not Supported], 44, [Unknown Error]
"""


def test_gpus_are_named_and_measured_in_mib() -> None:
    assert accelerators(TWO) == (
        Accelerator(0, "GPU-5f2b1d9e-0d5c-8a3f-2c5e-6a0e1f9b7c11", "NVIDIA H100 80GB HBM3", 81559),
        Accelerator(1, "GPU-8c1e77a0-91f4-1f0b-b0a2-3d9c54e0aa72", "NVIDIA H100 80GB HBM3", 81559),
    )


def test_what_they_do() -> None:
    assert loads(TWO) == (GpuLoad(0, 4.0, 81559.0, 0.0, 31.0, 71.42), GpuLoad(1, 70312.0, 81559.0, 98.0, 63.0, 612.9))


def test_what_a_driver_does_not_say_is_none() -> None:
    assert [gpu.memory for gpu in accelerators(ODD)] == [0, 2004]
    assert loads(ODD) == (GpuLoad(0, None, None, None, None, None), GpuLoad(1, 0.0, 2004.0, None, 44.0, None))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "No devices were found\n",
        "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver. Make sure that it runs.\n",
        "Unable to determine the device handle for GPU 0000:41:00.0: Unknown Error\n",
    ],
)
def test_no_gpu_is_none(text: str) -> None:
    assert accelerators(text) == ()
    assert loads(text) == ()


def test_the_command_asks_for_these_fields() -> None:
    assert COMMAND.startswith("nvidia-smi ")
    assert all(field in COMMAND for field in FIELDS)


@pytest.mark.parametrize(
    ("slots", "gpus", "seen"),
    [
        (1, (), ("",)),
        (3, (), ("", "", "")),
        (1, (0, 1, 2, 3), ("0,1,2,3",)),
        (2, (0, 1, 2, 3), ("0,1", "2,3")),
        (4, (0, 1, 2, 3), ("0", "1", "2", "3")),
        (3, (0, 1, 2, 3), ("0", "1", "2,3")),
        (4, (0, 1), ("0", "1", "0", "1")),
        (3, (5,), ("5", "5", "5")),
        (2, (4, 6, 7), ("4", "6,7")),
    ],
)
def test_slots_share_gpus_evenly(slots: int, gpus: tuple[int, ...], seen: tuple[str, ...]) -> None:
    assert visible(slots, gpus) == seen


@pytest.mark.parametrize("slots", range(1, 9))
@pytest.mark.parametrize("count", range(1, 9))
def test_every_gpu_is_used_and_no_slot_has_none(slots: int, count: int) -> None:
    seen = [share.split(",") for share in visible(slots, range(count))]
    used = [gpu for share in seen for gpu in share]
    assert all(share != [""] for share in seen)
    assert set(used) == set(map(str, range(count)))
    assert max(map(used.count, used)) - min(map(used.count, used)) <= 1
    assert max(map(len, seen)) - min(map(len, seen)) <= 1


def test_the_drivers_files_name_the_gpus(tmp_path: Path) -> None:
    for bus, uuid in (("0000:c1:00.0", "GPU-bb"), ("0000:41:00.0", "GPU-aa")):
        (tmp_path / bus).mkdir()
        text = f"Model: \t\t NVIDIA H100 80GB HBM3\nIRQ:   \t\t 18\nGPU UUID: \t {uuid}\nBus Location: \t {bus}\n"
        (tmp_path / bus / "information").write_text(text)
    name = "NVIDIA H100 80GB HBM3"
    assert here(tmp_path) == (Accelerator(0, "GPU-aa", name, 0), Accelerator(1, "GPU-bb", name, 0))


def test_without_a_driver_there_is_none(tmp_path: Path) -> None:
    assert here(tmp_path / "nothing") == ()


@pytest.mark.parametrize(
    ("nodes", "shares"),
    [(1, [[0, 1, 2, 3]]), (2, [[0, 1], [2, 3]]), (3, [[0], [1], [2, 3]]), (6, [[0], [1], [2], [3], [0], [1]])],
)
def test_nodes_of_one_machine_share_its_gpus(nodes: int, shares: list[list[int]]) -> None:
    gpus = [Accelerator(index, "", "", 0) for index in range(4)]
    assert [[gpu.index for gpu in share(node, nodes, gpus)] for node in range(nodes)] == shares
    assert share(0, nodes, ()) == ()
