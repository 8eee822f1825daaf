"""A preloader does nothing while nobody starts, and is gone with whatever it is for, killed without warning or not."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

import psutil
import pytest

import skyward as sky
from tests.faults.conftest import World
from tests.processes import line_of

SCRIPT = """
import sys, time
import skyward as sky
from skyward_jupyter.fleets.launcher import launcher
pool = sky.ComputePool(nodes=1, name={name!r}, preload=["numpy"], ttl=0.5).start()
while not pool.preloaded.libraries:
    time.sleep(0.01)
print(launcher().pid, flush=True)
time.sleep(600)
"""


def _preloaders(template: int) -> list[psutil.Process]:
    return [it for it in psutil.process_iter() if line_of(it).rstrip() == f"skyward: preloader {template}"]


@pytest.mark.parametrize("killed", ["kernel", "template"])
def test_it_is_gone_when_what_it_is_for_is_killed(killed: str, world: World) -> None:
    name = f"preloader-{killed}-{os.getpid()}"
    script = world.script(SCRIPT.format(name=name))
    assert script.stdout is not None
    template = int(script.stdout.readline())
    assert len(_preloaders(template)) == 1
    os.kill(script.pid if killed == "kernel" else template, signal.SIGKILL)
    world.until(lambda: not _preloaders(template), "the preloader is gone")
    world.until(lambda: not world.processes(name), "so are the nodes")


def test_it_serves_the_next_agent_when_one_is_killed(world: World) -> None:
    name = f"preloader-agent-{os.getpid()}"

    @sky.compute
    def has() -> bool:
        import sys

        return "numpy" in sys.modules

    with sky.ComputePool(nodes=1, name=name, preload=["numpy"]) as pool:
        world.until(lambda: pool.preloaded.libraries, "numpy is preloaded")
        (before,) = [it for it in world.processes(name) if line_of(it).startswith("skyward: agent")]
        before.kill()
        assert has() >> pool
    world.until(lambda: world.gone(name), "everything of the pool is gone")


def test_it_takes_no_cpu_while_nothing_starts(world: World) -> None:
    name = f"preloader-idle-{os.getpid()}"
    script = world.script(SCRIPT.format(name=name))
    assert script.stdout is not None
    (preloader,) = _preloaders(int(script.stdout.readline()))
    switches: list[int] = []

    def woke() -> int:
        """How often it has run since it was last looked at."""
        switches.append(sum(preloader.num_ctx_switches()))
        return switches[-1] - switches[-2] if len(switches) > 1 else -1

    world.until(lambda: _rests(preloader, woke), "it sleeps without waking up", within=60.0)


def _rests(preloader: psutil.Process, woke: Callable[[], int]) -> bool:
    """Return whether it has not woken once in a second."""
    woke()
    with pytest.raises(psutil.TimeoutExpired):
        preloader.wait(1.0)
    return woke() == 0
