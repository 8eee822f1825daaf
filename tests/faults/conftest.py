"""What the fault tests share: conditions with deadlines, and the processes and files a pool has."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

import skyward as sky
from tests.processes import line_of


class World:
    """Looks at the machine from outside the project."""

    def __init__(self) -> None:
        self._scripts: list[subprocess.Popen[str]] = []

    def until(self, condition: Callable[[], object], what: str, within: float = 20.0) -> None:
        """Wait for a condition; fails the test when it does not come true in time."""
        deadline = time.monotonic() + within
        while not condition():
            assert time.monotonic() < deadline, f"after {within:g} s still not: {what}"
            time.sleep(0.02)

    def processes(self, pool: str) -> list[psutil.Process]:
        """Agents and slots of a pool, by the names they show in ps."""
        lines = ((process, line_of(process)) for process in psutil.process_iter())
        return [process for process, line in lines if line.startswith("skyward: ") and f" {pool}/" in line]

    def slots(self, pool: str, node: int) -> list[psutil.Process]:
        """The slot processes of one node."""
        return [
            process for process in self.processes(pool) if line_of(process).startswith(f"skyward: slot {pool}/{node}.")
        ]

    def files(self, pool: str) -> list[Path]:
        """What a pool keeps in shared memory."""
        return list(Path("/dev/shm").glob(f"skyward-*-{pool}-*"))

    def records(self, pool: str) -> list[Path]:
        """What is recorded of a pool."""
        return list(Path(os.environ["SKYWARD_STATE_DIR"]).glob(f"{pool}~*.json"))

    def gone(self, pool: str) -> bool:
        """Whether nothing of a pool runs, and no file of it is in shared memory."""
        return not self.processes(pool) and not self.files(pool)

    def script(self, text: str) -> subprocess.Popen[str]:
        """Run a script in a Python of its own, with pipes."""
        made = subprocess.Popen(
            [sys.executable, "-c", text],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )
        self._scripts.append(made)
        return made

    def close(self) -> None:
        """End the scripts that still run."""
        for script in self._scripts:
            with script:
                script.kill()


@pytest.fixture(autouse=True)
def nothing_preloaded(monkeypatch: pytest.MonkeyPatch) -> None:
    """What other tests of this process have imported is not preloaded: slots are there at once, and none else."""
    monkeypatch.setattr("skyward_jupyter.fleets.preloading.imported", dict)


@pytest.fixture
def world() -> Iterator[World]:
    made = World()
    yield made
    made.close()


@pytest.fixture
def pool(request: pytest.FixtureRequest, world: World) -> Iterator[sky.ComputePool]:
    """A pool of three nodes of the test's own; the test fails when it leaves anything behind."""
    name = f"fault-{os.getpid()}-{abs(hash(request.node.name)) % 10_000}"
    made = sky.ComputePool(nodes=3, name=name)
    with made:
        yield made
    world.until(lambda: world.gone(name), "everything of the pool is gone")
