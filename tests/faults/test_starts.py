"""Starts of pools whose processes are lost on the way."""

from __future__ import annotations

import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor

import psutil
import pytest

import skyward as sky
from skyward_jupyter.actors.node import _Node
from skyward_jupyter.fleets.launcher import launcher
from skyward_jupyter.runtime.bridge import wait
from tests.faults.conftest import World
from tests.faults.starts import phase, starting


@sky.compute
def double(x: int) -> int:
    return 2 * x


async def _template() -> int:
    return launcher().pid


@pytest.mark.parametrize("reached", ["joining", "joined"])
def test_nodes_that_are_lost_as_they_join_start_again(world: World, reached: str) -> None:
    pool = sky.ComputePool(nodes=6, name=f"fault-{os.getpid()}-{reached}")
    with starting(pool) as started:
        world.until(lambda: any(phase(pool, node) == reached for node in range(6)), f"a node is {reached}")
        os.kill(wait(_template(), ""), signal.SIGKILL)
        lost = time.monotonic()
        started.result(40)
        print(f"6 nodes lost as they were {reached}: ready again after {time.monotonic() - lost:.1f} s")
        assert double(1) @ pool == [2] * 6
    world.until(lambda: world.gone(pool.name), "everything of the pool is gone")


def test_a_start_that_dies_says_why_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    async def connect(*_: object) -> None:
        raise LookupError("no way in")

    monkeypatch.setattr("skyward_jupyter.actors.supplier.connect", connect)
    began = time.monotonic()
    with pytest.raises(sky.ProvisioningFailed, match="LookupError: no way in"):
        sky.ComputePool(nodes=2, name=f"fault-{os.getpid()}-unheard").start()
    assert time.monotonic() - began < 20


def test_calls_go_on_while_the_template_does_not_read_what_is_to_start(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    with sky.ComputePool(nodes=1, name=f"fault-{os.getpid()}-unread") as pool, ThreadPoolExecutor(2) as threads:
        monkeypatch.setenv("FILLER", "x" * 100_000)  # each node gets the environment; no socket has room for twelve
        template = psutil.Process(wait(_template(), ""))
        template.suspend()
        try:
            scaling = threads.submit(pool.scale, 12)
            world.until(lambda: phase(pool, 11) == "starting", "all nodes are to start")
            calls = threads.submit(lambda: [double(number) >> pool for number in range(100)])
            assert calls.result(20) == [2 * number for number in range(100)]
            assert not scaling.done()
        finally:
            template.resume()
        scaling.result(90)
        assert double(1) @ pool == [2] * 12
    world.until(lambda: world.gone(pool.name), "everything of the pool is gone")


def test_a_node_that_has_joined_and_never_answers_is_replaced(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    stopped: list[int] = []
    meet = _Node.meet

    def stop_and_meet(node: _Node) -> None:
        if node.rank == 1 and not stopped:
            stopped.append(node.shown.view.pid)
            os.kill(stopped[0], signal.SIGSTOP)
        meet(node)

    monkeypatch.setattr(_Node, "meet", stop_and_meet)
    monkeypatch.setattr("skyward_jupyter.actors.answered.PATIENCE", 3.0)
    monkeypatch.setattr("skyward_jupyter.actors.answered.WITHIN", 1.0)
    pool = sky.ComputePool(nodes=3, name=f"fault-{os.getpid()}-mute")
    with starting(pool) as started:
        started.result(60)
        assert double(1) @ pool == [2] * 3
        (node,) = (view for view in pool.nodes if view.rank == 1)
        assert stopped
        assert node.pid != stopped[0]
        said = [line.text for line in pool.logs(50)[1]]
        assert any("it had joined, but it did not answer for 3 seconds" in text for text in said)
    world.until(lambda: world.gone(pool.name), "everything of the pool is gone")
