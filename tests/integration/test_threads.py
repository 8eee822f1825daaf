"""Numerical libraries on nodes: as many threads as there are cores for each."""

from __future__ import annotations

import os

import pytest

import skyward as sky
from skyward_jupyter.agent.threads import cores

NODES = 4
#: What each of so many processes gets, and what one that has all cores is told.
SHARE = max(1, cores() // NODES)


def told(share: int) -> str | None:
    """What the environment says for a share."""
    return str(share) if share < len(os.sched_getaffinity(0)) else None


@sky.compute
def blas() -> tuple[str | None, set[int]]:
    import numpy as np
    from threadpoolctl import threadpool_info

    np.ones((200, 200)) @ np.ones((200, 200))
    return os.environ.get("OMP_NUM_THREADS"), {
        it["num_threads"] for it in threadpool_info() if it["user_api"] == "blas"
    }


@pytest.fixture
def plain(monkeypatch: pytest.MonkeyPatch) -> None:
    """A kernel whose environment says nothing of threads."""
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.usefixtures("plain")
def test_nodes_share_the_cores_also_when_there_are_more_of_them() -> None:
    with sky.ComputePool(nodes=1) as pool:
        assert blas() @ pool == [(told(cores()), {cores()})]
        pool.scale(NODES)
        assert blas() @ pool == [(told(SHARE), {SHARE})] * NODES
        pool.scale(1)
        assert blas() @ pool == [(told(cores()), {cores()})]


@pytest.mark.usefixtures("plain")
def test_slots_share_them_too() -> None:
    with sky.ComputePool(nodes=1, worker=sky.Worker(concurrency=NODES)) as pool:
        assert blas() >> pool == (told(SHARE), {SHARE})


@pytest.mark.usefixtures("plain")
def test_the_environment_of_the_pool_decides() -> None:
    with sky.ComputePool(nodes=NODES, env={"OMP_NUM_THREADS": "3"}) as pool:
        assert blas() >> pool == ("3", {min(3, len(os.sched_getaffinity(0)))})
    with sky.ComputePool(nodes=NODES, env={"OPENBLAS_NUM_THREADS": "2"}) as pool:
        assert (blas() >> pool)[1] == {min(2, len(os.sched_getaffinity(0)))}


def test_the_environment_of_the_kernel_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "5")
    with sky.ComputePool(nodes=NODES) as pool:
        assert (blas() >> pool)[0] == "5"
