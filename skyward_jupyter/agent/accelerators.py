"""GPUs: what ``nvidia-smi`` says of them, and which slot sees which."""

from __future__ import annotations

import contextlib
import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

#: What is asked of every GPU, in this order.
FIELDS = ("index", "uuid", "name", "memory.total", "memory.used", "utilization.gpu", "temperature.gpu", "power.draw")
#: The variable that says which of them a process sees, and what makes its numbers those of ``nvidia-smi``.
DEVICES = "CUDA_VISIBLE_DEVICES"
ORDER = ("CUDA_DEVICE_ORDER", "PCI_BUS_ID")
#: Where the driver tells of them without running anything, a directory for each.
DRIVER = Path("/proc/driver/nvidia/gpus")
#: The command that says it, one line of comma-separated values for each GPU.
COMMAND = f"nvidia-smi --query-gpu={','.join(FIELDS)} --format=csv,noheader,nounits"


@dataclass(frozen=True, slots=True)
class Accelerator:
    """A GPU of a machine.

    Attributes
    ----------
    index
        Its number there.
    uuid
        What names it anywhere.
    name
        As its maker calls it.
    memory
        In MiB; 0 where the driver does not say, as for a part of a GPU.
    """

    index: int
    uuid: str
    name: str
    memory: int


@dataclass(frozen=True, slots=True)
class GpuLoad:
    """What a GPU does at the moment; None is what the driver does not say.

    Attributes
    ----------
    index
        Which GPU of the node.
    memory, total
        In use and there, in MiB.
    busy
        In percent of the time.
    temperature
        In degrees Celsius.
    power
        In watts.
    """

    index: int
    memory: float | None
    total: float | None
    busy: float | None
    temperature: float | None
    power: float | None


def accelerators(text: str) -> tuple[Accelerator, ...]:
    """The GPUs that the command's output names, in its order; lines of anything else are passed over."""
    return tuple(
        Accelerator(int(row["index"]), row["uuid"], row["name"], int(_number(row["memory.total"]) or 0))
        for row in _rows(text)
    )


def here(directory: Path = DRIVER) -> tuple[Accelerator, ...]:
    """The GPUs of this machine as its driver's files name them: no process is started, and without a driver it is one
    look for a directory.

    What they have of memory is not said there; of a system that has no such files, as WSL, nothing is known.
    """
    found = []
    with contextlib.suppress(OSError):
        for index, each in enumerate(sorted(directory.iterdir())):
            lines = (line.partition(":") for line in (each / "information").read_text().splitlines())
            facts = {name.strip(): value.strip() for name, _, value in lines}
            found.append(Accelerator(index, facts.get("GPU UUID", ""), facts.get("Model", "GPU"), 0))
    return tuple(found)


def share(number: int, among: int, gpus: Sequence[Accelerator]) -> tuple[Accelerator, ...]:
    """The GPUs of one of several nodes on a machine, divided as `visible` divides them.

    Parameters
    ----------
    number, among
        Which of how many nodes it is, from 0.
    """
    if not gpus:
        return ()
    chosen = visible(among, range(len(gpus)))[number].split(",")
    return tuple(gpus[int(place)] for place in chosen)


def loads(text: str) -> tuple[GpuLoad, ...]:
    """What the GPUs do that the command's output names."""
    return tuple(
        GpuLoad(
            int(row["index"]),
            _number(row["memory.used"]),
            _number(row["memory.total"]),
            _number(row["utilization.gpu"]),
            _number(row["temperature.gpu"]),
            _number(row["power.draw"]),
        )
        for row in _rows(text)
    )


def visible(slots: int, gpus: Sequence[int]) -> tuple[str, ...]:
    """``CUDA_VISIBLE_DEVICES`` of each slot.

    With at least as many GPUs as slots each slot has its own, as evenly as it goes, neighbours together; with fewer,
    slots share them in turn. Without a GPU it is empty for all.

    Parameters
    ----------
    slots
        How many slots the node has.
    gpus
        The numbers of the GPUs it may use.
    """
    if len(gpus) < slots:
        return tuple(str(gpus[slot % len(gpus)]) if gpus else "" for slot in range(slots))
    shares = [len(gpus) * slot // slots for slot in range(slots + 1)]
    return tuple(",".join(map(str, gpus[first:end])) for first, end in pairwise(shares))


def _rows(text: str) -> Iterator[dict[str, str]]:
    for values in csv.reader(text.splitlines(), skipinitialspace=True):
        if len(values) == len(FIELDS) and values[0].strip().isdigit():
            yield dict(zip(FIELDS, map(str.strip, values), strict=True))


def _number(text: str) -> float | None:
    """A number, or None for ``[N/A]``, ``[Not Supported]``, ``[Unknown Error]`` and what else drivers say."""
    try:
        return float(text)
    except ValueError:
        return None
