"""What a real pool tells of itself."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
import time

import pytest

import skyward as sky
from skyward_jupyter.actors.messages import Reach, Wrote
from skyward_jupyter.runtime.bridge import runtime
from tests.integration.conftest import Until

E = sky.events


@sky.compute
def double(n: int) -> int:
    return 2 * n


@sky.compute
def speak(text: str) -> None:
    print(text)


@sky.compute
def fail() -> None:
    raise KeyError("mine")


@sky.compute
def nap(seconds: float) -> float:
    time.sleep(seconds)
    return seconds


def test_a_life_from_the_first_to_the_last_event(until: Until) -> None:
    pool = sky.ComputePool(nodes=2, name="told")
    heard: list[E.Event] = []
    threads = []

    def hear(event: E.Event) -> None:
        heard.append(event)
        threads.append(runtime().on_loop)

    off = pool.on(E.Event, hear)
    with pool:
        assert double(4) >> pool == 8
        with pytest.raises(KeyError):
            fail() >> pool
        speak("said") @ pool
        until(lambda: sum(isinstance(event, E.LogLine) for event in heard) >= 2, "both lines are told")
    until(lambda: isinstance(heard[-1], E.PoolState) and heard[-1].state == "stopped", "the end is told")
    assert all(threads)
    states = [event.state for event in heard if isinstance(event, E.PoolState)]
    assert states == ["starting", "ready", "stopping", "stopped"]
    for node in (0, 1):
        mine = [event for event in heard if isinstance(event, E.NodeEvent) and event.node == node]
        kinds = [type(event) for event in mine if not isinstance(event, E.NodePhase | E.LogLine | E.Metric)]
        assert kinds == [E.NodeStarting, E.NodeReady, E.NodeStopped]
    tasks = [event for event in heard if isinstance(event, E.TaskEvent)]
    for name, error in (("double", ""), ("fail", "KeyError")):
        queued, sent, done = (event for event in tasks if event.name == name)
        assert isinstance(queued, E.TaskQueued)
        assert isinstance(sent, E.TaskSent)
        assert isinstance(done, E.TaskDone)
        assert (done.error, done.node) == (error, sent.node)
        assert done.times in pool.timeline
    said = {(line.node, line.text.strip()) for line in heard if isinstance(line, E.LogLine) and line.stream == "stdout"}
    assert said == {(0, "said"), (1, "said")}
    off()


async def test_a_reader_of_events(pool: sky.ComputePool) -> None:
    async with asyncio.timeout(20):
        stream = pool.events(E.TaskDone)
        assert await pool.run(sky.gather(*map(double, range(5)))) == [0, 2, 4, 6, 8]
        done = [await anext(stream) for _ in range(5)]
        assert {event.name for event in done if isinstance(event, E.TaskDone)} == {"double"}
        stream.close()
        assert [event async for event in stream] == []


async def test_giving_up_on_one_event_leaves_the_reader_usable(pool: sky.ComputePool) -> None:
    stream = pool.events(E.TaskDone)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(anext(stream), 0.05)
    await pool.run(double(1))
    event = await asyncio.wait_for(anext(stream), 20)
    assert isinstance(event, E.TaskDone)


def test_a_reader_ends_with_the_pool_and_reads_on_another_loop() -> None:
    found: list[str] = []

    def read() -> None:
        async def work() -> None:
            found.extend([type(event).__name__ async for event in stream])

        asyncio.run(work())

    pool = sky.ComputePool(nodes=1, name="read")
    stream = pool.events(E.NodeReady, E.TaskDone, E.NodeStopped)
    thread = threading.Thread(target=read)
    thread.start()
    with pool:
        assert double(2) >> pool == 4
    thread.join(20)
    assert not thread.is_alive()
    assert found == ["NodeReady", "TaskDone", "NodeStopped"]
    assert list(pool.events()) == []


def test_a_callback_that_fails_does_not_hurt_the_pool(pool: sky.ComputePool, caplog: pytest.LogCaptureFixture) -> None:
    def broken(event: E.TaskDone) -> None:
        raise ZeroDivisionError

    off = pool.on(E.TaskDone, broken)
    try:
        assert sky.gather(*map(double, range(10))) >> pool == [2 * n for n in range(10)]
    finally:
        off()
    assert any("a callback for TaskDone failed" in record.message for record in caplog.records)


def test_what_is_no_event_is_refused(pool: sky.ComputePool) -> None:
    with pytest.raises(sky.UsageError, match="no kind of event"):
        pool.on(sky.NodeLost, print)  # type: ignore[type-var]
    with pytest.raises(sky.UsageError, match="buffer is 0"):
        pool.events(buffer=0)


def test_metrics_come_while_somebody_listens(pool: sky.ComputePool, until: Until) -> None:
    found: list[E.Metric] = []
    off = pool.on(E.Metric, found.append)
    until(lambda: {metric.node for metric in found} == {0, 1, 2}, "every node was measured")
    assert all(metric.memory > 0 for metric in found)
    off()


def test_the_progress_of_a_gather_and_of_a_broadcast(pool: sky.ComputePool, until: Until) -> None:
    told: list[E.RunProgress] = []
    off = pool.on(E.RunProgress, told.append)
    try:
        assert not pool._bus.tasks
        double(1) >> pool
        sky.gather(*map(double, range(50))) >> pool
        until(lambda: bool(told) and told[-1].done == 50, "the last one is told")
        gather = list(told)
        nap(0.01) @ pool
        until(lambda: told[-1].done == told[-1].total == 3, "the broadcast's end is told")
    finally:
        off()
    assert [(event.what, event.total) for event in (gather[0], told[-1])] == [("double", 50), ("nap", 3)]
    assert gather[0].done == 0
    assert [event.done for event in gather] == sorted(event.done for event in gather)
    assert len({event.run for event in told}) == 2


def test_a_node_that_is_given_up_is_told(until: Until) -> None:
    told: list[E.NodeGivenUp] = []
    lost = sky.ComputePool(nodes=2, name="given", max_retries=0)
    lost.on(E.NodeGivenUp, told.append)
    with lost:
        os.kill(lost.nodes[1].pid, signal.SIGKILL)
        until(lambda: bool(told), "it is given up")
        assert (told[0].node, told[0].losses, told[0].why) == (1, 1, "signal 9")
        assert lost._inner.panel.snapshot()["note"] == told[0].sentence


def test_the_timeline_follows_the_clock(pool: sky.ComputePool) -> None:
    before = time.time()
    sky.gather(nap(0.2), nap(0.3)) >> pool
    double(1) @ pool
    after = time.time()
    mine = [times for times in pool.timeline if times.queued >= before]
    assert [times.name for times in mine] == ["nap", "nap", "double", "double", "double"]
    for times in mine:
        moments = (before, times.queued, times.sent, times.began, times.ended, times.received, after)
        assert list(moments) == sorted(moments)
    assert [0.2 <= times.seconds < 5 for times in mine[:2]] == [True, True]
    assert {times.node for times in mine[2:]} == {0, 1, 2}
    assert pool.timeline._repr_svg_().startswith("<svg")


def test_who_follows_hears_what_the_log_has(until: Until) -> None:
    """What a start writes, line by line, and what becomes of a link."""
    told: list[str] = []
    with sky.ComputePool(nodes=1, name="followed") as pool:
        pool.on(E.LogLine, lambda line: told.append(line.text))
        pool.on(E.NodePhase, lambda event: told.append(f"{event.phase}\n"))
        hub = pool._inner.hub
        assert hub is not None
        for message in (Wrote("one"), Wrote("two"), Reach("no route"), Reach("still none"), Reach("")):
            runtime().call_soon(hub.node(0).tell, message)
        until(lambda: len(told) >= 4, "all is told")
        assert "".join(told) == "one\ntwo\nnot reachable (no route)\nreachable again\n"
        lines = [line.text for line in pool.logs()[0]]
        assert lines[-4:] == "".join(told).splitlines()
