"""Machines that have no room for another process: the limit of a container, reached and lifted again."""

from __future__ import annotations

import asyncio
import errno
import os
import signal
from collections.abc import Iterator

import pytest

import skyward as sky
from skyward_jupyter.fleets import launcher as launchers
from skyward_jupyter.fleets.launcher import launcher
from skyward_jupyter.runtime.bridge import wait
from tests.faults.conftest import World
from tests.faults.starts import phase, starting
from tests.pids import Pids

LIMIT = "no more processes are allowed there: the limit of its container or user is reached"


@sky.compute
def number() -> int:
    return sky.instance_info().node


async def _template() -> int:
    return launcher().pid


@pytest.fixture
def limited(pids: Pids) -> Iterator[Pids]:
    """A limit that the template of this kernel, and all it starts from now on, is under."""
    pids.take(wait(_template(), ""))
    yield pids
    pids.free()


def logs(pool: sky.ComputePool) -> list[str]:
    return [line for node in pool.nodes for line in node.log]


def name(what: str) -> str:
    return f"fault-{os.getpid()}-{what}"


def end_slots(world: World, pool: str, node: int) -> None:
    for slot in world.slots(pool, node):
        os.kill(slot.pid, signal.SIGKILL)


def test_a_slot_that_has_no_room_is_started_once_there_is(world: World, limited: Pids) -> None:
    with sky.ComputePool(nodes=2, name=name("slot"), worker=sky.Worker(concurrency=2)) as pool:
        limited.full()
        end_slots(world, pool.name, 0)
        world.until(lambda: phase(pool, 0).startswith("cannot start slots 0, 1: "), "node 0 says what it lacks")
        assert LIMIT in phase(pool, 0)
        assert list((number() & number() & number() & number()) >> pool) == [1, 1, 1, 1]
        limited.free()
        assert number() @ pool == [0, 1]
        world.until(lambda: phase(pool, 0) == "ready", "node 0 lacks nothing any more")
        world.until(lambda: set((number() & number() & number() & number()) >> pool) == {0, 1}, "it takes work again")
        assert "has all its slots again" in pool.nodes[0].log


def test_first_slots_and_agents_without_room_are_waited_for(world: World, limited: Pids) -> None:
    limited.full()
    pool = sky.ComputePool(nodes=2, name=name("first"))
    with starting(pool) as started:
        world.until(lambda: phase(pool, 1) == f"cannot start: {LIMIT}; it is tried again", "node 1 says what it lacks")
        # There is room for an agent, not for its slot; then for all.
        limited.room(1)
        world.until(lambda: "joining" in logs(pool), "an agent has started")
        limited.free()
        started.result(30)
        assert number() @ pool == [0, 1]


def test_a_start_without_room_says_so_in_the_end(world: World, limited: Pids) -> None:
    limited.full()
    with pytest.raises(sky.ProvisioningFailed, match=LIMIT):
        sky.ComputePool(nodes=1, name=name("never"), timeout=2).start()


def test_a_lost_node_comes_back_once_there_is_room(world: World, limited: Pids) -> None:
    with sky.ComputePool(nodes=2, name=name("agent")) as pool:
        limited.full()
        os.kill(pool.nodes[1].pid, signal.SIGKILL)
        world.until(lambda: "cannot start" in phase(pool, 1), "node 1 says what it lacks")
        assert number() >> pool == 0
        limited.free()
        world.until(lambda: phase(pool, 1) == "ready", "node 1 is back")
        assert number() @ pool == [0, 1]


def test_a_template_without_room_is_started_once_there_is(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    whole, tries = launchers.Launcher.__init__, [1, 1]

    def without_room(self: launchers.Launcher, loop: asyncio.AbstractEventLoop) -> None:
        if tries:
            tries.pop()
            raise BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")
        whole(self, loop)

    with sky.ComputePool(nodes=2, name=name("template")) as pool:
        template = wait(_template(), "")
        monkeypatch.setattr(launchers.Launcher, "__init__", without_room)
        os.kill(template, signal.SIGKILL)
        world.until(lambda: not tries and all(view.state == "idle" for view in pool.nodes), "both nodes are back")
        assert number() @ pool == [0, 1]
