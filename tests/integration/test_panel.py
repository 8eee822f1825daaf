"""What the views of a real pool are sent."""

from __future__ import annotations

import concurrent.futures
import threading
import time
from collections.abc import Iterator

import pytest

import skyward as sky
from skyward_jupyter.actors.source import Delta, Snapshot
from tests.integration.conftest import Until

E = sky.events


@sky.compute
def double(n: int) -> int:
    return 2 * n


@sky.compute
def fail() -> None:
    raise ValueError("as it should")


@sky.compute
def rest(seconds: float) -> None:
    time.sleep(seconds)


class View:
    """Keeps what it is shown."""

    def __init__(self) -> None:
        self.deltas: list[Delta] = []

    def show(self, snapshot: Snapshot) -> None:
        """Not what this is about."""

    def delta(self, delta: Delta) -> None:
        self.deltas.append(delta)

    def refuse(self, sentence: str) -> None:
        raise AssertionError(sentence)

    def close(self, snapshot: Snapshot) -> None:
        """Not what this is about."""

    @property
    def places(self) -> list[int]:
        """Which of the pool's tasks came."""
        found = [delta.ended for delta in self.deltas if delta.ended is not None]
        return [ended.first + at for ended in found for at in range(len(ended.times))]


@pytest.fixture
def view(pool: sky.ComputePool) -> Iterator[View]:
    made = View()
    detach = pool._inner.panel.attach(made)
    yield made
    detach()


def ended(pool: sky.ComputePool) -> int:
    """How many tasks have ended so far."""
    last = pool._inner.panel.ended()
    return last.first + len(last.times)


def test_a_view_that_draws_tasks_gets_each_once(pool: sky.ComputePool, view: View, until: Until) -> None:
    before = ended(pool)
    pool._inner.panel.draw(view, before)
    pool._inner.panel.visible(view, True)
    for _ in range(3):
        assert sky.gather(*map(double, range(20))) >> pool == [2 * n for n in range(20)]
        until(lambda: view.places and view.places[-1] == ended(pool) - 1, "the last one came")
    assert view.places == list(range(before, before + 60))
    assert pool._inner.panel.ended().times[-1] == pool.timeline[-1]


def test_tasks_are_no_events_and_come_to_nobody_who_does_not_draw_them(
    pool: sky.ComputePool, view: View, until: Until
) -> None:
    pool._inner.panel.visible(view, True)
    assert sky.gather(*map(double, range(20))) >> pool == [2 * n for n in range(20)]
    until(lambda: len(view.deltas) >= 2, "numbers came")
    assert view.places == []
    assert not pool._bus.tasks


def test_what_was_missed_while_out_of_sight_comes_later(pool: sky.ComputePool, view: View, until: Until) -> None:
    before = ended(pool)
    pool._inner.panel.draw(view, before)
    assert sky.gather(*map(double, range(20))) >> pool == [2 * n for n in range(20)]
    assert view.deltas == []
    pool._inner.panel.visible(view, True)
    until(lambda: view.places == list(range(before, before + 20)), "all of them came")
    pool._inner.panel.draw(view, before + 15)  # another page of the same view, which has fewer of them
    until(lambda: view.places[20:] == list(range(before + 15, before + 20)), "the last five came again")


def test_a_listener_hears_until_the_pool_is_over(until: Until) -> None:
    heard: list[str] = []
    with sky.ComputePool(nodes=1, name="heard") as pool:
        pool._inner.panel.listen((E.PoolState,), lambda event: heard.append(event.state))
        bus = pool._bus
    until(lambda: heard == ["stopping", "stopped"], "the end was heard")
    until(lambda: not bus.wants(E.PoolState), "nobody listens any more")


def tally(pool: sky.ComputePool) -> tuple[int, int, int]:
    return pool._inner.panel.snapshot()["ended"]


def test_ends_are_counted_apart_whether_somebody_looks_or_not(pool: sky.ComputePool, view: View, until: Until) -> None:
    done, failed, cancelled = tally(pool)
    sky.gather(*map(double, range(30))) >> pool
    for _ in range(3):
        with pytest.raises(ValueError, match="as it should"):
            fail() >> pool
    stopped = [rest(30) > pool for _ in range(8)]
    until(lambda: any(node.running for node in pool.nodes), "some of them run")
    for future in stopped:
        future.cancel()
    concurrent.futures.wait(stopped)
    until(lambda: sum(tally(pool)) == done + failed + cancelled + 41, "all have ended")
    assert tally(pool) == (done + 30, failed + 3, cancelled + 8)
    pool._inner.panel.visible(view, True)
    until(lambda: bool(view.deltas) and view.deltas[-1].tally == tally(pool), "the numbers say the same")
    table = view.deltas[-1].table()
    assert sum(row[4] for row in table) <= tally(pool)[0]


def test_a_node_that_leaves_takes_nothing_away(until: Until) -> None:
    with sky.ComputePool(nodes=3, panel="off") as pool:
        double(1) @ pool
        fail_all = [fail() > pool for _ in range(3)]
        concurrent.futures.wait(fail_all)
        until(lambda: tally(pool) == (3, 3, 0), "all have ended")
        pool.scale(1)
        assert tally(pool) == (3, 3, 0)
        pool.scale(3)
        double(1) @ pool
        assert tally(pool) == (6, 3, 0)
    assert tally(pool) == (6, 3, 0)


def test_no_node_is_idle_beside_what_it_runs(pool: sky.ComputePool, view: View, until: Until) -> None:
    stop = threading.Event()

    def work() -> None:
        while not stop.is_set():
            sky.gather(*[rest(0.05) for _ in range(8)]) >> pool

    pool._inner.panel.visible(view, True)
    worker = threading.Thread(target=work)
    worker.start()
    try:
        until(lambda: len(view.deltas) >= 8, "numbers came")
    finally:
        stop.set()
        worker.join()
    for delta in view.deltas:
        assert all(row[3] == 0 for row in delta.table() if row[0] == 0), "state 0 is idle, column 3 what runs"


@pytest.mark.parametrize(("nodes", "most"), [((1, 3), 3), ((2, 16), 16)])
def test_a_page_may_ask_for_as_many_nodes_as_the_pool_can_have(nodes: tuple[int, int], most: int) -> None:
    with sky.ComputePool(nodes=nodes, panel="off") as pool:
        shown = pool._inner.panel.snapshot()
        assert (shown["smallest"], shown["largest"]) == (*nodes[:1], most)
        assert shown["limit"] == f"it was started with nodes={nodes}"


def test_a_local_pool_has_a_limit_that_makes_sense(pool: sky.ComputePool) -> None:
    shown = pool._inner.panel.snapshot()
    assert 16 <= shown["largest"] <= 250
    assert "processor" in shown["limit"]
