"""What is told of a pool in lines, and what is not worth one."""

from __future__ import annotations

import asyncio
import time

import pytest

from skyward_jupyter.actors.bus import Bus
from skyward_jupyter.events import (
    NodeGivenUp,
    NodeLost,
    NodeReady,
    NodeReplaced,
    NodeStopped,
    PoolResized,
    PoolState,
)
from skyward_jupyter.terminal import teller as module
from skyward_jupyter.terminal.teller import KINDS, Teller
from tests.unit.widgets.fakes import snapshot


@pytest.fixture
def said() -> list[str]:
    return []


class Pool:
    """The events of a pool, heard by a teller of it."""

    def __init__(self, said: list[str], *, ago: float = 0.0, everything: bool = False, drawn: bool = False) -> None:
        self.bus = Bus("lab")
        self.said = said
        self.changed = asyncio.Event()
        self.teller = Teller(self._say, everything=everything, drawn=drawn)
        self.teller.begin(snapshot(state="starting", started=time.time() - ago))
        self.bus.listen(KINDS, self.teller.hear)

    def _say(self, sentence: str) -> None:
        self.said.append(sentence)
        self.changed.set()

    async def until(self, count: int) -> None:
        """Wait until so many sentences were said."""
        async with asyncio.timeout(10):
            while len(self.said) < count:
                self.changed.clear()
                await self.changed.wait()

    async def emit(self, *happened: tuple[object, ...]) -> None:
        for kind, *facts in happened:
            self.bus.emit(kind, *facts)  # type: ignore[arg-type]
        await asyncio.sleep(0)

    async def start(self, nodes: int) -> None:
        ready = [(NodeReady, rank, "a:1") for rank in range(nodes)]
        await self.emit((PoolResized, nodes, "asked"), *ready, (PoolState, "ready", ""))

    async def stop(self) -> None:
        await self.emit((PoolState, "stopping", ""), (PoolState, "stopped", ""))


async def test_what_goes_well_and_is_quick_is_not_told(said: list[str]) -> None:
    pool = Pool(said)
    await pool.start(2)
    await pool.emit((PoolResized, 1, "asked"), (NodeStopped, 1))
    await pool.stop()
    assert said == []


async def test_everything_is_told_where_it_is_asked_for(said: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "EAGER", 0.0)
    pool = Pool(said, everything=True)
    await pool.emit((PoolResized, 2, "asked"))
    await pool.until(1)
    await pool.start(2)
    await pool.emit((PoolResized, 3, "asked"))
    await pool.emit((NodeReady, 2, "a:3"))
    await pool.stop()
    assert said[0] == "pool lab: starting 2 nodes"
    assert said[1].startswith("pool lab: 2 nodes ready in 0.")
    assert said[2:] == ["pool lab: 3 nodes now", "pool lab: stopped after 0s"]


async def test_a_slow_start_is_told_and_then_its_end(said: list[str]) -> None:
    pool = Pool(said, ago=5)
    await pool.start(1)
    await pool.stop()
    assert said == ["pool lab: 1 node ready in 5.0 s", "pool lab: stopped after 5s"]


async def test_where_it_is_drawn_starts_and_ends_are_not_told(said: list[str]) -> None:
    pool = Pool(said, ago=5, drawn=True)
    await pool.start(2)
    await pool.emit((NodeLost, 1, "signal 9"))
    await pool.stop()
    assert said == ["pool lab: node 1 was lost (signal 9), another is started"]


async def test_a_loss_is_told_once_and_so_is_the_return(said: list[str]) -> None:
    pool = Pool(said)
    await pool.start(2)
    await pool.emit((NodeLost, 1, "signal 9"))
    await pool.until(1)
    await pool.emit((NodeReady, 1, "a:2"), (NodeReplaced, 1, 1))
    await pool.until(2)
    await pool.emit((NodeLost, 1, "signal 9"), (NodeReady, 1, "a:2"), (NodeReplaced, 1, 2))
    await pool.until(4)
    assert said == 2 * ["pool lab: node 1 was lost (signal 9), another is started", "pool lab: node 1 is back"]


async def test_losses_in_quick_succession_are_each_told(said: list[str]) -> None:
    pool = Pool(said)
    await pool.start(2)
    for count in (1, 2):
        await pool.emit((NodeLost, 1, f"signal {count}"), (NodeReady, 1, "a:2"), (NodeReplaced, 1, count))
    await pool.until(4)
    assert [line.rpartition("lost")[2] for line in said] == [
        " (signal 1), another is started",
        "pool lab: node 1 is back",
        " (signal 2), another is started",
        "pool lab: node 1 is back",
    ]


async def test_nodes_lost_together_are_one_line(said: list[str]) -> None:
    pool = Pool(said)
    await pool.start(4)
    await pool.emit(*((NodeLost, rank, "the template process ended") for rank in range(4)))
    await pool.until(1)
    await pool.emit(*((NodeReady, rank, "a:1") for rank in range(4)), *((NodeReplaced, rank, 1) for rank in range(4)))
    await pool.until(2)
    assert said == [
        "pool lab: nodes 0-3 were lost (the template process ended), others are started",
        "pool lab: nodes 0-3 are back",
    ]


async def test_a_reason_may_say_anything(said: list[str]) -> None:
    pool = Pool(said)
    await pool.start(2)
    why = "node 0 was lost (oh) and is being replaced"
    await pool.emit((NodeLost, 1, why))
    await pool.stop()
    assert said[0] == f"pool lab: node 1 was lost ({why}), another is started"


@pytest.mark.parametrize("gone", [(NodeStopped, 1), (PoolState, "taken", "taken over")])
async def test_nodes_that_leave_are_no_loss(said: list[str], gone: tuple[object, ...]) -> None:
    pool = Pool(said)
    await pool.start(2)
    await pool.emit(gone, (NodeLost, 1, "it is gone"))
    await pool.stop()
    assert said == []


async def test_a_node_that_cannot_be_started_is_told_once_it_is_given_up(said: list[str]) -> None:
    pool = Pool(said)
    await pool.start(1)
    await pool.emit(
        (PoolResized, 2, "asked"),
        *3 * [(NodeLost, 1, "signal 9")],
        (NodeGivenUp, 1, 0, "signal 9"),
        (PoolResized, 1, "given up"),
    )
    assert said == ["pool lab: node 1 could not be started (signal 9); the pool goes on without it"]


async def test_a_start_that_fails_is_told_by_its_exception(said: list[str]) -> None:
    pool = Pool(said)
    await pool.emit((PoolResized, 2, "asked"), (NodeReady, 0, "a:1"))
    await pool.emit((NodeLost, 1, "no such key"), (NodeGivenUp, 1, 0, "no such key"), (PoolResized, 1, "given up"))
    await pool.stop()
    assert said == []


async def test_one_that_is_given_up_is_not_told_to_be_replaced(said: list[str]) -> None:
    pool = Pool(said)
    await pool.start(2)
    await pool.emit((NodeLost, 1, "signal 9"), (NodeGivenUp, 1, 3, "signal 9"), (PoolResized, 1, "given up"))
    await pool.stop()
    text = "node 1 was lost 3 times within an hour, now signal 9; the pool goes on without it"
    assert said == [f"pool lab: {text}", "pool lab: stopped after 0s"]
