"""What the views of collections are told while nodes change them, and what is left of it in text."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest

import skyward as sky
from skyward_jupyter.api.viewing import sight
from skyward_jupyter.api.viewing.feed import Feed
from skyward_jupyter.api.viewing.keylist import Window
from skyward_jupyter.collections.address import Address, Kind
from skyward_jupyter.runtime.bridge import wait


@pytest.fixture
def name() -> str:
    """A name that no other test uses."""
    return f"shown-{uuid4().hex[:8]}"


class Told:
    """What a feed told its screen, with when."""

    def __init__(self, pool: sky.ComputePool, kind: Kind, name: str) -> None:
        self.contents: list[tuple[float, dict[str, Any]]] = []
        self.over: dict[str, Any] | None = None
        self.feed = Feed(pool.name, pool._inner.hub, Address(kind, name), self)
        self.detach = pool._inner.panel.attach(self.feed)

    def show(self, content: dict[str, Any]) -> None:
        self.contents.append((time.monotonic(), content))

    def close(self, content: dict[str, Any]) -> None:
        self.over = content

    @property
    def body(self) -> dict[str, Any]:
        return self.contents[-1][1]["body"] if self.contents else {}

    def rows(self, view: str = "v") -> list[tuple[str, str | None]]:
        return [(row[1], row[3]) for row in self.body.get("windows", {}).get(view, {"rows": []})["rows"]]

    async def until(self, condition: Callable[[], object]) -> None:
        deadline = time.monotonic() + 20
        while not condition():
            assert time.monotonic() < deadline, self.contents[-1:]
            await asyncio.sleep(0.005)


@sky.compute
def write(name: str, keys: int) -> None:
    shared = sky.dict(name)
    for number in range(keys):
        shared[number] = sky.instance_info().node


def test_views_are_told_what_nodes_write_at_most_ten_times_a_second(pool: sky.ComputePool, name: str) -> None:
    async def main() -> None:
        told = Told(pool, "dict", name)
        told.feed.see("v", True)
        told.feed.look("v", Window(limit=5))
        await told.until(lambda: told.body.get("listed"))
        await pool.run(write(name, 300))
        await told.until(lambda: told.body["total"] == 300 and len(told.rows()) == 5)
        times = [at for at, _ in told.contents]
        assert all(len([at for at in times if begun <= at < begun + 1]) <= 11 for begun in times)
        told.feed.see("v", False)

    wait(main())


def test_each_view_has_its_window_and_all_are_told_at_once(pool: sky.ComputePool, name: str) -> None:
    async def main() -> None:
        shared = sky.dict(name, pool=pool)
        await shared.update_async({f"key-{number:02}": number for number in range(40)})
        told = Told(pool, "dict", name)
        for view, window in (("v", Window(limit=1)), ("w", Window(limit=2, search="key-3", down=True))):
            told.feed.see(view, True)
            told.feed.look(view, window)
        await told.until(lambda: told.rows() == [("'key-00'", "0")])
        await told.until(lambda: told.rows("w") == [("'key-39'", "39"), ("'key-38'", "38")])
        assert told.contents[-1][1]["body"]["windows"]["w"]["matches"] == 10
        told.feed.see("w", False)
        await shared.setitem_async("key-00", "new")
        await told.until(lambda: told.rows() == [("'key-00'", "'new'")])
        assert set(told.body["windows"]) == {"v"}
        told.feed.see("v", False)

    wait(main())


def test_nothing_is_followed_or_told_while_nobody_looks(
    pool: sky.ComputePool, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def main() -> None:
        counter = sky.counter(name, pool=pool)
        told = Told(pool, "counter", name)
        await counter.increment_async()
        assert told.contents == []
        told.feed.see("v", True)
        await told.until(lambda: told.body.get("value") == "1")
        monkeypatch.setattr(sight, "LEASE", 0.0)  # the view is not heard of again
        await told.until(lambda: not told.feed.fresh)
        count = len(told.contents)
        await counter.increment_async()
        assert len(told.contents) == count
        monkeypatch.undo()
        told.feed.see("v", True)
        await told.until(lambda: told.body["value"] == "2")
        assert None in [value for _, value in told.body["curve"]]
        told.feed.see("v", False)

    wait(main())


@sky.compute
def hold(name: str) -> bool:
    with sky.lock(name):
        return bool(sky.queue(f"{name}-go").get(timeout=60))


def test_who_holds_and_who_waits_is_told(pool: sky.ComputePool, name: str) -> None:
    async def main() -> None:
        told, queue = Told(pool, "lock", name), Told(pool, "queue", f"{name}-go")
        for each in (told, queue):
            each.feed.see("v", True)
        await told.until(lambda: "holder" in told.body and told.body["holder"] is None)
        held = asyncio.ensure_future(pool.broadcast(hold(name)))
        await told.until(lambda: told.body["holder"] is not None and told.body["waiting"] == 2)
        assert told.body["holder"][2] == "hold"
        await queue.until(lambda: queue.body.get("taking") == 1)
        await sky.queue(f"{name}-go", pool=pool).put_many_async([1, 2, 3])
        assert await held == [True] * 3
        await told.until(lambda: told.body["holder"] is None and told.body["waiting"] == 0)
        for each in (told, queue):
            each.feed.see("v", False)

    wait(main())


@sky.compute
def meet(name: str) -> None:
    if sky.instance_info().node == 1:
        sky.queue(f"{name}-go").get(timeout=60)
    sky.barrier(name).wait(timeout=60)


def test_who_has_not_come_is_told(pool: sky.ComputePool, name: str) -> None:
    async def main() -> None:
        told = Told(pool, "barrier", name)
        told.feed.see("v", True)
        met = asyncio.ensure_future(pool.broadcast(meet(name)))
        await told.until(lambda: told.body.get("came") == 2)
        assert told.body["missing"] == [1]
        assert (told.body["parties"], told.body["generation"]) == (3, 0)
        await sky.queue(f"{name}-go", pool=pool).put_async("go")
        await met
        await told.until(lambda: told.body["came"] == 0 and told.body["generation"] == 1)
        told.feed.see("v", False)

    wait(main())


def test_text_says_what_each_holds(pool: sky.ComputePool, name: str) -> None:
    shared = sky.dict(name, pool=pool)
    shared.update({f"key-{number:03}": number for number in range(100)})
    text = shared._repr_mimebundle_()["text/plain"]
    assert text.startswith(f"dict {name!r} of pool 'shared': 100 keys\n  key")
    assert "'key-014'  14" in text
    assert "… and 85 more" in text
    html = shared._repr_mimebundle_()["text/html"]
    assert "<script" not in html
    assert "&#x27;key-000&#x27;" in html
    counter = sky.counter(f"{name}-c", pool=pool)
    counter.increment(1234)
    assert counter._repr_mimebundle_()["text/plain"] == f"counter '{name}-c' of pool 'shared': 1,234"
    lock = sky.lock(f"{name}-l", pool=pool)
    with lock:
        assert ": held by the notebook\n  for 0s, with token " in lock._repr_mimebundle_()["text/plain"]


def test_text_of_a_pool_that_is_over_says_so_at_once(name: str) -> None:
    with sky.ComputePool(nodes=1, name="ended-shown") as made:
        shared = sky.dict(name, pool=made)
        told = Told(made, "dict", name)

        async def look() -> None:
            await shared.setitem_async("a", 1)
            told.feed.see("v", True)
            told.feed.look("v", Window())
            await told.until(lambda: told.rows() == [("'a'", "1")])

        wait(look())
    assert told.over is not None
    assert told.over["body"]["windows"][""]["rows"][0][1:4] == ["'a'", "str", "1"]
    begun = time.monotonic()
    assert "does not run any more" in shared._repr_mimebundle_()["text/plain"]
    assert time.monotonic() - begun < 5
