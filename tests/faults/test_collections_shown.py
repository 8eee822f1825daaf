"""A node is killed while collections are on a screen: their views go on by themselves."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Callable
from typing import Any

import pytest

import skyward as sky
from skyward_jupyter.api.viewing.feed import Feed
from skyward_jupyter.api.viewing.keylist import Window
from skyward_jupyter.runtime.bridge import wait
from tests.faults.test_nodes import pid_of, replaced

pytestmark = pytest.mark.fault


class Told:
    """What a feed told last."""

    def __init__(self, pool: sky.ComputePool, collection: Any) -> None:
        self.body: dict[str, Any] = {}
        self.feed = Feed(pool.name, pool._inner.hub, collection._address, self)
        self.feed.see("v", True)
        self.feed.look("v", Window())

    def show(self, content: dict[str, Any]) -> None:
        self.body = content["body"]

    def close(self, content: dict[str, Any]) -> None:
        """The pool is over."""

    async def until(self, condition: Callable[[dict[str, Any]], object]) -> None:
        deadline = time.monotonic() + 60
        while not (self.body and condition(self.body)):
            assert time.monotonic() < deadline, self.body
            await asyncio.sleep(0.01)


@sky.compute(retries=0)
def hold(name: str) -> None:
    with sky.lock(name):
        sky.queue("never").get()


@sky.compute
def write(name: str, number: int) -> None:
    sky.dict(name)[number] = "after"


def test_views_follow_the_node_that_comes_in_place_of_a_lost_one(pool: sky.ComputePool) -> None:
    async def main() -> None:
        table, lock = sky.dict("table", pool=pool), sky.lock("lock", pool=pool)
        await table.update_async(dict.fromkeys(range(10), "before"))
        rows, held = Told(pool, table), Told(pool, lock)
        await rows.until(lambda body: body["total"] == 10)
        holding = asyncio.ensure_future(pool.run(hold("lock")))
        await held.until(lambda body: body["holder"] is not None)
        node = held.body["holder"][0]
        old = pid_of(pool, node)
        os.kill(old, signal.SIGKILL)
        with pytest.raises(sky.SkywardError):
            await holding
        await held.until(lambda _: replaced(pool, node, old))
        await held.until(lambda body: body["holder"] is None)
        await pool.broadcast(write("table", 3))
        shown = [row[3] for row in (await _rows(rows, "'after'"))]
        assert shown == ["'before'"] * 3 + ["'after'"] + ["'before'"] * 6
        for told in (rows, held):
            told.feed.see("v", False)

    wait(main())


async def _rows(told: Told, text: str) -> list[list[Any]]:
    def there(body: dict[str, Any]) -> bool:
        return any(row[3] == text for row in body["windows"]["v"]["rows"])

    await told.until(there)
    return list(told.body["windows"]["v"]["rows"])
