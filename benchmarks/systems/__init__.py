"""The systems that are measured, one small file each: how a user of that system would write it."""

from __future__ import annotations

from benchmarks.systems.base import System
from benchmarks.systems.dask_distributed import Dask
from benchmarks.systems.ipyparallel_cluster import Ipyparallel
from benchmarks.systems.ray_actors import Ray
from benchmarks.systems.skyward_pool import Skyward


def systems() -> tuple[System, ...]:
    """Return one of each, ours first."""
    return Skyward(), Ipyparallel(), Dask(), Ray()
