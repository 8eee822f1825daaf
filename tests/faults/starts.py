"""Starts of pools that go on while a test does something to them."""

from __future__ import annotations

import concurrent.futures
import contextlib
from collections.abc import Iterator

import skyward as sky
from skyward_jupyter.actors.desk import boot_of
from skyward_jupyter.fleets.site import STEPS


@contextlib.contextmanager
def starting(pool: sky.ComputePool) -> Iterator[concurrent.futures.Future[sky.ComputePool]]:
    """A start that goes on meanwhile, and is over in the end."""
    with concurrent.futures.ThreadPoolExecutor(1) as executor:
        started = executor.submit(pool.start)
        try:
            yield started
        finally:
            concurrent.futures.wait([started], 60)
            pool.stop()


def phase(pool: sky.ComputePool, number: int) -> str:
    """What a node is at, or that it cannot be reached."""
    return next((view.doing for view in pool.nodes if view.rank == number), "")


def said(pool: sky.ComputePool, number: int) -> str:
    """What came last of what a node is at."""
    return next((boot_of(view).said for view in pool.nodes if view.rank == number), "")


def steps(pool: sky.ComputePool, number: int) -> list[str]:
    """The steps of a node's preparation, each as often as it was begun."""
    names = {text: name for name, text in STEPS.items()}
    return [names[line] for line in pool.nodes[number].log if line in names]
