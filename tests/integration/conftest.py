"""Real local pools, started once and shared, because starting is not what most of these tests are about."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest

import skyward as sky

type Until = Callable[[Callable[[], object], str], None]


@pytest.fixture
def until() -> Until:
    """Waits for a condition; fails the test when it does not come true in time."""

    def wait(condition: Callable[[], object], what: str) -> None:
        deadline = time.monotonic() + 20
        while not condition():
            assert time.monotonic() < deadline, f"after 20 s still not: {what}"
            time.sleep(0.005)

    return wait


@pytest.fixture(scope="session")
def three() -> Iterator[sky.ComputePool]:
    """The pool behind `pool`."""
    with sky.ComputePool(nodes=3, name="shared", env={"SHARED": "yes"}) as made:
        yield made


@pytest.fixture
def pool(three: sky.ComputePool) -> Iterator[sky.ComputePool]:
    """Three nodes on this machine; a test leaves nothing running on them."""
    yield three
    assert three.state == "ready"
    assert len(three.nodes) == 3


@pytest.fixture(scope="session")
def two() -> Iterator[sky.ComputePool]:
    """The pool behind `far`."""
    with sky.ComputePool(nodes=2, name="far", worker=sky.Worker(concurrency=2), _share=False) as made:
        yield made


@pytest.fixture
def far(two: sky.ComputePool) -> sky.ComputePool:
    """Two nodes with two slots each, whose payloads cross the cluster as to other machines."""
    return two
