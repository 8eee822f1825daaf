"""Watching collections: what changes on any node is heard of, and nothing is kept while nobody watches."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from uuid import uuid4

import pytest

import skyward as sky
from skyward_jupyter.api.collections import watch, watch_named
from skyward_jupyter.collections.keys import decoded, encoded
from skyward_jupyter.collections.watch import Changes, Watch
from skyward_jupyter.runtime.bridge import wait


@pytest.fixture
def name() -> str:
    """A name that no other test uses."""
    return f"watch-{uuid4().hex[:8]}"


class Heard:
    """What a watch has told, with when."""

    def __init__(self, watched: Watch) -> None:
        self.changes: list[tuple[float, Changes]] = []
        self.stop = watched.start(lambda change: self.changes.append((time.time(), change)))

    async def until(self, condition: Callable[[], object], within: float = 20) -> None:
        deadline = time.monotonic() + within
        while not condition():
            assert time.monotonic() < deadline, self.changes
            await asyncio.sleep(0.005)

    def seen(self) -> set[object]:
        return {decoded(key) for _, change in self.changes for key in change.keys or ()}


async def comes[T](read: Callable[[], Awaitable[T]], condition: Callable[[T], object]) -> T:
    """What is read once it is as it should be."""
    deadline = time.monotonic() + 20
    while not condition(found := await read()):
        assert time.monotonic() < deadline, found
        await asyncio.sleep(0.01)
    return found


@sky.compute
def write(name: str, key: object) -> float:
    sky.dict(name)[key] = "there"
    return time.time()


def test_a_change_on_any_node_or_here_is_heard_of_soon(pool: sky.ComputePool, name: str) -> None:
    async def main() -> None:
        shared = sky.dict(name, pool=pool)
        heard = Heard(watch(shared))
        await heard.until(lambda: len(heard.changes) == 1)
        assert heard.changes[0][1] == Changes(None)
        written = await pool.broadcast(write(name, "same"))
        await heard.until(lambda: "same" in heard.seen())
        late = []
        for key in range(9):
            written = [await pool.run(write(name, key))]
            await heard.until(lambda key=key: key in heard.seen())  # type: ignore[misc]
            late.append(heard.changes[-1][0] - written[0])
        assert sorted(late)[4] < 1
        await shared.setitem_async("here", 1)
        await heard.until(lambda: "here" in heard.seen())
        await shared.delitem_async("here")
        count = len(heard.changes)
        await shared.clear_async()
        await heard.until(lambda: Changes(None) in [change for _, change in heard.changes[count:]])
        heard.stop()

    wait(main())


def test_a_burst_is_told_as_anything(pool: sky.ComputePool, name: str) -> None:
    async def main() -> None:
        shared = sky.dict(name, pool=pool)
        heard = Heard(watch(shared))
        await heard.until(lambda: heard.changes)
        await shared.update_async({key: key for key in range(1500)})
        await heard.until(lambda: len(heard.changes) > 1)
        assert any(change.keys is None for _, change in heard.changes[1:])
        heard.stop()

    wait(main())


def test_nothing_is_kept_when_nobody_watches_any_more(pool: sky.ComputePool, name: str) -> None:
    async def main() -> None:
        shared = sky.dict(name, pool=pool)
        watched = watch(shared)
        heard = Heard(watched)
        await heard.until(lambda: heard.changes)
        heard.stop()
        count = len(heard.changes)
        await shared.setitem_async("after", 1)
        await asyncio.sleep(0.2)
        assert len(heard.changes) == count

    wait(main())


def test_keys_values_and_members_are_read_a_piece_at_a_time(pool: sky.ComputePool, name: str) -> None:
    async def main() -> None:
        shared, members = sky.dict(name, pool=pool), sky.set(f"{name}-set", pool=pool)
        await shared.update_async({key: str(key) for key in range(600)})
        await members.update_async(range(50))
        watched = watch(shared)
        pages = [page async for page in watched.scan()]
        assert len(pages) > 1
        assert {decoded(key) for page in pages for key in page} == set(range(600))
        assert sum(map(len, pages)) == await watched.size() == 600
        asked = [encoded(5), encoded("not there")]
        assert list(await watched.values(asked)) == asked[:1]
        seen = watch(members)
        assert {decoded(key) for page in [page async for page in seen.scan()] for key in page} == set(range(50))
        assert list(await seen.values([encoded(7), encoded(99)])) == [encoded(7)]
        nothing = watch_named(pool.name, "dict", f"{name}-nothing")
        assert [page async for page in nothing.scan()] == []
        assert await nothing.size() == 0
        with pytest.raises(sky.CollectionMismatch):
            await watch_named(pool.name, "set", name).size()

    wait(main())


def test_how_a_lock_stands_and_who_has_it(pool: sky.ComputePool, name: str) -> None:
    @sky.compute
    def hold(seconds: float) -> int:
        with sky.lock(name):
            time.sleep(seconds)
            return sky.instance_info().node

    async def main() -> None:
        watched = watch(sky.lock(name, pool=pool))
        assert (await watched.lock()).holder is None
        heard = Heard(watched)
        await heard.until(lambda: heard.changes)
        async with sky.lock(name, pool=pool) as lock:
            mine, token = await watched.lock(), lock.token
            assert (mine.holder and mine.holder.node, mine.token) == (None, token)
            assert str(mine.holder) == "the notebook"
            holding = asyncio.ensure_future(pool.run(hold(0.6)))
            (waiter,) = (await comes(watched.lock, lambda view: view.waiters)).waiters
            assert waiter.label == "hold"
        view = await comes(watched.lock, lambda view: view.holder is not None and view.holder.node is not None)
        assert view.holder is not None
        assert view.holder.label == "hold"
        assert view.holder.task > 0
        assert (view.token or 0) > token
        assert abs((view.since or 0) - time.time()) < 5
        count = len(heard.changes)
        assert await holding == view.holder.node
        await heard.until(lambda: len(heard.changes) > count)
        assert (await watched.lock()).holder is None
        heard.stop()

    wait(main())


def test_how_a_barrier_stands_and_who_has_come(pool: sky.ComputePool, name: str) -> None:
    @sky.compute
    def come(times: int) -> None:
        for _ in range(times):
            sky.barrier(name).wait(timeout=20)

    @sky.compute
    def come_alone() -> None:
        if sky.instance_info().node == 1:
            sky.barrier(name).wait(timeout=2)

    async def main() -> None:
        watched = watch(sky.barrier(name, pool=pool))
        await pool.broadcast(come(4))
        view = await watched.barrier()
        assert (view.parties, view.generation, view.arrived) == (3, 4, ())
        alone = asyncio.ensure_future(pool.broadcast(come_alone()))
        alone_there = await comes(watched.barrier, lambda view: view.arrived)
        assert [who.node for who in alone_there.arrived] == [1]
        with pytest.raises(sky.BarrierTimeout, match="nobody came from nodes 0, 2"):
            await alone
        assert (await watched.barrier()).arrived == ()

    wait(main())


def test_how_a_queue_and_a_counter_stand(pool: sky.ComputePool, name: str) -> None:
    async def main() -> None:
        queue, counter = sky.queue(name, pool=pool), sky.counter(f"{name}-count", pool=pool)
        await queue.put_many_async(["first", "second"])
        view = await watch(queue).queue()
        assert (view.length, view.takers) == (2, ())
        assert view.front is not None
        await counter.increment_async(5)
        assert await watch(counter).counter() == 5
        heard = Heard(watch(counter))
        await heard.until(lambda: heard.changes)
        await counter.increment_async()
        await heard.until(lambda: len(heard.changes) > 1)
        heard.stop()

    wait(main())


def test_the_loss_of_a_node_is_told_as_anything() -> None:
    import os
    import signal

    with sky.ComputePool(nodes=2, name="watched") as made:

        async def main() -> None:
            heard = Heard(watch(sky.dict("a", pool=made)))
            await heard.until(lambda: heard.changes)
            count = len(heard.changes)
            os.kill(made.nodes[1].pid, signal.SIGKILL)
            await heard.until(lambda: len(heard.changes) > count)
            assert heard.changes[count][1] == Changes(None)
            await heard.until(lambda: [view.phase for view in made.nodes] == ["ready", "ready"])
            await made.broadcast(write("a", "again"))
            await heard.until(lambda: "again" in heard.seen() or heard.changes[-1][1].keys is None)
            heard.stop()

        wait(main())
