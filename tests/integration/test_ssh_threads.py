"""Slots of machines over SSH: each has its share of the cores of its machine."""

from __future__ import annotations

import os

import skyward as sky
from skyward_jupyter.agent.threads import VARIABLES, cores
from tests.far import Machines


@sky.compute
def said() -> set[str | None]:
    return {os.environ.get(name) for name in VARIABLES}


def test_slots_share_the_cores_of_their_machine(machines: Machines) -> None:
    slots = cores() + 1
    with machines.pool(f"cores{os.getpid()}", worker=sky.Worker(concurrency=slots), timeout=300) as pool:
        assert [{"1"}] * len(pool.nodes) == said() @ pool
    with machines.pool(f"cores{os.getpid()}", env={"OMP_NUM_THREADS": "4"}, timeout=300) as pool:
        assert all(found == {"4", None} for found in said() @ pool)
