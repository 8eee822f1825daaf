"""All six collections used by many clients while nodes and slots are killed and stopped, and nodes cut off each other.

`make test-chaos` does the same for longer. Another run has a fault that it has to find; `python -m tests.chaos.mutants`
tries more of them.
"""

from __future__ import annotations

import os

import pytest

from tests.chaos.mutants import MUTANTS, found
from tests.chaos.run import run
from tests.faults.conftest import World

pytestmark = [pytest.mark.fault, pytest.mark.slow]


@pytest.mark.timeout(300)
def test_what_clients_see_is_as_it_should_be(world: World) -> None:
    name = f"fault-{os.getpid()}-chaos"
    report = run(15.0, seed=os.getpid(), name=name)
    assert not report.wrong, str(report)
    assert report.broken
    assert report.operations - report.maybe > 500
    world.until(lambda: world.gone(name), "everything of the pool is gone")


@pytest.mark.timeout(300)
def test_a_run_finds_that_a_barrier_opens_early() -> None:
    is_found, said = found(MUTANTS["barrier-early"], 15.0, seed=5)
    assert is_found, said
    assert "had come who did not pass before" in said
