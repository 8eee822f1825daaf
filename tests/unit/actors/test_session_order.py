"""The order of the session tasks of a node."""

from __future__ import annotations

import asyncio
import gc
import weakref
from typing import cast

from skyward_jupyter.actors.desk import TaskEntry
from skyward_jupyter.actors.session_order import SessionOrder
from skyward_jupyter.wire.events import Outcome, Success
from skyward_jupyter.wire.messages import Code


def entry(number: int, rank: int) -> TaskEntry:
    outcome: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
    return TaskEntry(number, Code("code", b""), b"", outcome, rank=rank, session=True)


def end(entry: TaskEntry) -> None:
    entry.outcome.set_result(Success(cast(int, entry.rank), None, 0.0))


async def test_only_what_has_not_ended_is_before_a_task() -> None:
    order = SessionOrder()
    first = entry(1, rank=0)
    assert not order.add([first])
    assert not order.add([entry(2, rank=1)])
    assert order.add([entry(3, rank=0)])
    end(first)
    assert order.add([entry(4, rank=0)])


async def test_a_node_without_tasks_has_none_before_the_next() -> None:
    order = SessionOrder()
    first = entry(1, rank=0)
    order.add([first])
    end(first)
    assert not order.add([entry(2, rank=0)])


async def test_what_was_broadcast_is_sent_once_more_and_no_oftener() -> None:
    order = SessionOrder()
    all_nodes = [entry(1, rank=0), entry(2, rank=1)]
    order.add(all_nodes)
    order.goes_by_head(all_nodes)
    order.add([entry(3, rank=1)])
    assert order.not_sent_directly([1]) == [all_nodes[1]]
    order.add([entry(4, rank=0), entry(5, rank=1)])
    assert order.not_sent_directly([0, 1]) == [all_nodes[0]]


async def test_what_has_ended_is_not_sent_again() -> None:
    order = SessionOrder()
    one = entry(1, rank=0)
    order.add([one])
    order.goes_by_head([one])
    end(one)
    assert order.not_sent_directly([0]) == []


async def test_what_has_ended_is_kept_no_longer() -> None:
    order = SessionOrder()
    one = entry(1, rank=0)
    order.add([one])
    order.goes_by_head([one])
    end(one)
    kept = weakref.ref(one.outcome)
    await asyncio.sleep(0)
    del one
    gc.collect()
    assert kept() is None
