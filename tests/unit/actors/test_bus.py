"""The stream of events of a pool, without a pool."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import logging
import weakref

import pytest

from skyward_jupyter import events
from skyward_jupyter.actors.bus import Bus
from skyward_jupyter.api.events import EventStream

VAR = contextvars.ContextVar("VAR", default="outside")


async def turn() -> None:
    for _ in range(3):
        await asyncio.sleep(0)


async def test_a_listener_hears_its_kind_and_what_is_below_it() -> None:
    bus = Bus("lab")
    all_, nodes, ready = [], [], []  # type: ignore[var-annotated]
    bus.listen((events.Event,), all_.append)
    bus.listen((events.NodeEvent,), nodes.append)
    bus.listen((events.NodeReady,), ready.append)
    bus.emit(events.PoolState, "ready", "")
    bus.emit(events.NodeReady, 2, "a:1")
    bus.emit(events.NodeLost, 2, "signal 9")
    assert all_ == []
    await turn()
    assert [type(event).__name__ for event in all_] == ["PoolState", "NodeReady", "NodeLost"]
    assert nodes == all_[1:]
    assert ready == all_[1:2]
    assert (ready[0].pool, ready[0].node, ready[0].address) == ("lab", 2, "a:1")
    assert all_[0].at <= all_[1].at <= all_[2].at


async def test_nothing_is_made_while_nobody_listens() -> None:
    bus = Bus("lab")

    def made(at: float, pool: str) -> events.Event:
        raise AssertionError("nobody listens")

    bus.emit(made)
    assert not bus.wants(events.TaskDone)
    assert not bus.tasks
    listener = bus.listen((events.TaskRetried,), print)
    assert bus.tasks
    assert bus.wants(events.TaskRetried)
    assert not bus.wants(events.TaskDone)
    bus.remove(listener)
    bus.remove(listener)
    assert not bus.tasks


async def test_a_callback_that_fails_harms_nobody(caplog: pytest.LogCaptureFixture) -> None:
    bus = Bus("lab")
    heard = []

    def fail(event: events.Event) -> None:
        raise ValueError("mine")

    async def fail_later(event: events.Event) -> None:
        await asyncio.sleep(0)
        raise ValueError("later")

    async def keep(event: events.Event) -> None:
        await asyncio.sleep(0)
        heard.append(event)

    for callback in (fail, fail_later, keep):
        bus.listen((events.Event,), callback)
    with caplog.at_level(logging.ERROR, "skyward"):
        bus.emit(events.PoolState, "ready", "")
        bus.emit(events.PoolState, "stopped", "")
        await turn()
    assert [event.state for event in heard] == ["ready", "stopped"]  # type: ignore[attr-defined]
    assert len(caplog.records) == 4


async def test_one_that_is_off_hears_nothing_more() -> None:
    bus = Bus("lab")
    heard: list[events.Event] = []
    listener = bus.listen((events.Event,), heard.append)
    bus.emit(events.PoolState, "ready", "")
    bus.remove(listener)
    await turn()
    assert heard == []


async def test_a_callback_runs_where_it_was_registered() -> None:
    bus = Bus("lab")
    seen = []
    token = VAR.set("the cell")
    bus.listen((events.Event,), lambda event: seen.append(VAR.get()))
    VAR.reset(token)
    bus.emit(events.PoolState, "ready", "")
    await turn()
    assert seen == ["the cell"]


async def test_a_callback_may_emit() -> None:
    bus = Bus("lab")
    heard = []

    def again(event: events.NodeLost) -> None:
        heard.append(event.node)
        if event.node < 3:
            bus.emit(events.NodeLost, event.node + 1, "")

    bus.listen((events.NodeLost,), again)
    bus.emit(events.NodeLost, 0, "")
    await turn()
    assert heard == [0, 1, 2, 3]


async def test_a_slow_reader_is_told_what_it_missed() -> None:
    bus = Bus("lab")
    stream = EventStream(bus, (events.NodeEvent,), 3, over=False)
    for node in range(10):
        bus.emit(events.NodeLost, node, "")
    await turn()
    bus.close()
    missed = await stream._next()
    assert isinstance(missed, events.EventsDropped)
    assert missed.count == 7
    rest = [await stream._next() for _ in range(4)]
    assert [getattr(event, "node", None) for event in rest] == [7, 8, 9, None]


async def test_a_stream_that_nobody_holds_listens_no_more() -> None:
    bus = Bus("lab")
    stream = EventStream(bus, (events.Event,), 3, over=False)
    assert bus.wants(events.PoolState)
    gone = weakref.ref(stream)
    del stream
    gc.collect()
    assert gone() is None
