"""Results that nobody will read go at once: half written ones, and those of slots and nodes that were killed."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import skyward as sky
from tests.faults.conftest import World
from tests.faults.test_lifetimes import heard

#: So large a result takes a moment to write.
LARGE = 400_000_000


@sky.compute
def me() -> int:
    return os.getpid()


@sky.compute
def large(count: int) -> bytearray:
    return bytearray(count)


@sky.compute
def many(count: int) -> list[bytearray]:
    return [bytearray(300_000) for _ in range(count)]


@sky.compute
def several(count: int, size: int) -> Iterator[bytearray]:
    for _ in range(count):
        yield bytearray(size)


def kept(store: str | Path) -> dict[str, int]:
    """The large results of a pool, with their sizes."""
    found = {}
    for path in Path(store).rglob("*-*"):
        try:
            if path.is_file() and path.stat().st_size > 250_000:
                found[str(path.relative_to(store))] = path.stat().st_size
        except FileNotFoundError:
            continue
    return found


@pytest.mark.parametrize("share", [True, False], ids=["shared", "through the cluster"])
@pytest.mark.parametrize("victim", ["slot", "node"])
def test_a_result_that_was_half_written(world: World, share: bool, victim: str) -> None:
    with sky.ComputePool(nodes=1, retries=0, _share=share) as pool:
        slot, (node,) = me() >> pool, pool.nodes
        result = large(LARGE) > pool
        world.until(
            lambda: any(size > 2**22 for size in kept(pool._inner.hub.fleet.store).values()), "it is being written"
        )
        assert node.pid is not None
        os.kill(slot if victim == "slot" else node.pid, signal.SIGKILL)
        with pytest.raises((sky.SlotDied, sky.NodeLost)):
            result.result(60)
        world.until(lambda: not kept(pool._inner.hub.fleet.store), "nothing of it is left")
        assert len(large(1_000_000) >> pool) == 1_000_000
        world.until(lambda: not kept(pool._inner.hub.fleet.store), "nor of the next one")


SCRIPT = """
import sys
import skyward as sky
from tests.faults.test_remnants import large, me, several
pool = sky.ComputePool(nodes=1, retries=0, _share={share}).start()
me() >> pool
print(pool._inner.hub.fleet.store, me() >> pool, pool.nodes[0].pid, flush=True)
sys.stdin.readline()
results = [large(1_000_000) > pool for _ in range(3)]
stream = several(3, 1_000_000) >> pool
print("asked", flush=True)
sys.stdin.readline()
for result in results:
    try:
        assert len(result.result(60)) == 1_000_000
    except sky.NodeLost:
        pass
stream.close()
me() >> pool
print("had", flush=True)
sys.stdin.readline()
"""


@pytest.mark.parametrize("share", [True, False], ids=["shared", "through the cluster"])
def test_results_that_were_not_fetched_when_their_node_was_killed(world: World, share: bool) -> None:
    """The kernel stands still meanwhile; of what had reached it all the same nothing is lost."""
    script = world.script(SCRIPT.format(share=share))
    assert script.stdin is not None
    store, _, node = heard(script).split()
    os.kill(script.pid, signal.SIGSTOP)
    script.stdin.write("go\n")
    script.stdin.flush()
    os.kill(script.pid, signal.SIGCONT)
    assert heard(script) == "asked\n"
    os.kill(script.pid, signal.SIGSTOP)
    os.kill(int(node), signal.SIGKILL)
    os.kill(script.pid, signal.SIGCONT)
    script.stdin.write("go\n")
    script.stdin.flush()
    assert heard(script) == "had\n"
    world.until(lambda: not kept(store), f"nothing is left of {kept(store)}")


@pytest.mark.parametrize("how", ["interrupted", "closed", "timed out"])
def test_what_nobody_wants_any_more(world: World, how: str) -> None:
    with sky.ComputePool(nodes=1) as pool:
        match how:
            case "interrupted":
                result = many(300) > pool
                world.until(lambda: kept(pool._inner.hub.fleet.store), "it is being written")
                result.cancel()
            case "closed":
                for _ in range(100):  # at any moment of what the node does
                    stream: Any = several(100, 1_000_000) >> pool
                    assert len(next(stream)) == 1_000_000
                    stream.close()
            case _:
                with pytest.raises(sky.TaskTimeout):
                    large(LARGE).with_timeout(0.02) >> pool
        assert me() >> pool
        world.until(lambda: not kept(pool._inner.hub.fleet.store), "nothing of it is left")
