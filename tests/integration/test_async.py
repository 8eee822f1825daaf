"""The awaitable forms, from a loop that is not the runtime's."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path

import pytest

import skyward as sky
from skyward_jupyter.runtime.bridge import bridge, runtime
from skyward_jupyter.wire.events import Display, Failure, Output, Success, TaskEvent
from tests.integration.conftest import Until


@sky.compute
def double(n: int) -> int:
    return 2 * n


@sky.compute
def rank() -> int:
    return sky.instance_info().node


@sky.compute
def stop_or(mark: str, stopped: str) -> None:
    Path(mark).touch()
    try:
        time.sleep(60)
    except KeyboardInterrupt:
        Path(stopped).touch()
        raise


def test_a_whole_life_in_asyncio_run() -> None:
    async def life() -> list[object]:
        async with sky.ComputePool(nodes=2, name="async") as pool:
            found: list[object] = [
                await pool.run(double(4)),
                await pool.broadcast(rank()),
                await pool.run(double(1) & double(2)),
                [value async for value in pool.stream(sky.gather(double(5), double(6)))],
            ]
            await pool.scale_async(3)
            found.append(await pool.broadcast(rank()))
        assert pool.state == "stopped"
        return found

    assert asyncio.run(life()) == [8, [0, 1], (2, 4), [10, 12], [0, 1, 2]]


def test_one_pool_from_several_loops(pool: sky.ComputePool) -> None:
    for _ in range(3):
        assert asyncio.run(pool.run(double(2))) == 4
    assert double(2) >> pool == 4


async def test_many_at_once(pool: sky.ComputePool) -> None:
    assert await asyncio.gather(*(pool.run(double(n)) for n in range(100))) == list(range(0, 200, 2))


async def test_errors(pool: sky.ComputePool) -> None:
    with pytest.raises(ZeroDivisionError):
        await pool.run(sky.compute(lambda: 1 // 0)())
    with pytest.raises(ExceptionGroup, match="3 of 3"):
        await pool.broadcast(sky.compute(lambda: 1 // 0)())
    with pytest.raises(sky.UsageError, match="send a group with >>"):
        await pool.broadcast(double(1) & double(2))  # type: ignore[arg-type]


async def test_cancelling_stops_the_remote_code(pool: sky.ComputePool, tmp_path: Path, until: Until) -> None:
    mark, stopped = tmp_path / "runs", tmp_path / "stopped"
    work = asyncio.ensure_future(pool.run(stop_or(str(mark), str(stopped))))
    await asyncio.to_thread(until, mark.exists, "it runs")
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await work
    await asyncio.to_thread(until, stopped.exists, "it was interrupted")


async def test_blocking_on_the_runtimes_loop_is_refused(pool: sky.ComputePool) -> None:
    async def inside() -> None:
        double(1) >> pool

    with pytest.raises(sky.BlockingRefused, match=r"await pool\.run"):
        await bridge(inside())


async def test_a_launched_call_tells_what_it_does(pool: sky.ComputePool) -> None:
    @sky.compute
    def talk() -> int:
        from skyward_jupyter.agent.outlet import display

        node = sky.instance_info().node
        print("hello from", node)
        display({"text/plain": str(node)})
        if node == 1:
            raise LookupError("not on this one")
        return node

    events: list[TaskEvent] = []

    async def launch() -> list[object]:
        run = pool._inner.launch(talk(), [2, 1], on_event=events.append)
        outcomes = await run.outcomes()
        return list(outcomes)

    first, second = await bridge(launch())
    assert isinstance(first, Success)
    assert (first.node, first.value) == (2, 2)
    assert isinstance(second, Failure)
    assert second.node == 1
    assert isinstance(second.error, LookupError)
    output = {event.node: event.text for event in events if isinstance(event, Output)}
    assert output == {1: "hello from 1\n", 2: "hello from 2\n"}
    assert {event.node: event.data for event in events if isinstance(event, Display)} == {
        1: {"text/plain": "1"},
        2: {"text/plain": "2"},
    }


async def test_a_call_for_each_node(pool: sky.ComputePool) -> None:
    async def launch() -> list[object]:
        return list(await pool._inner.launch([double(10), double(20)], [0, 2]).outcomes())

    outcomes = await bridge(launch())
    assert [(outcome.node, outcome.value) for outcome in outcomes] == [(0, 20), (2, 40)]  # type: ignore[attr-defined]


async def test_a_node_that_there_is_not(pool: sky.ComputePool) -> None:
    async def launch() -> None:
        pool._inner.launch(double(1), [0, 3])

    with pytest.raises(sky.UnknownNode, match="there is no node 3") as caught:
        await bridge(launch())
    assert (caught.value.node, caught.value.size) == (3, 3)


@pytest.mark.parametrize("how", ["interrupt", "kill"])
async def test_stopping_what_was_launched(pool: sky.ComputePool, tmp_path: Path, until: Until, how: str) -> None:
    marks = [tmp_path / str(n) for n in range(2)]

    async def launch() -> object:
        return pool._inner.launch([stop_or(str(mark), str(mark) + ".stopped") for mark in marks], [0, 1])

    run = await bridge(launch())
    await asyncio.to_thread(until, lambda: all(mark.exists() for mark in marks), "both run")
    runtime().call_soon(getattr(run, how))
    outcomes = await bridge(run.outcomes())  # type: ignore[attr-defined]
    assert [type(outcome.error) for outcome in outcomes] == [sky.TaskInterrupted] * 2
    names = sorted(os.listdir(tmp_path))
    assert names == (["0", "0.stopped", "1", "1.stopped"] if how == "interrupt" else ["0", "1"])
    assert await pool.broadcast(double(1)) == [2, 2, 2]


@sky.compute
def late() -> None:
    raise TimeoutError


async def test_an_error_keeps_its_notes_through_an_awaited_future(pool: sky.ComputePool) -> None:
    with pytest.raises(TimeoutError) as caught:
        await (late() > pool)
    assert any(note.startswith("raised by ") for note in caught.value.__notes__)
