"""What the views of a real pool are sent."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import skyward as sky
from skyward_jupyter.actors.source import Delta, Snapshot
from tests.integration.conftest import Until

E = sky.events


@sky.compute
def double(n: int) -> int:
    return 2 * n


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
    detach = pool.panel.attach(made)
    yield made
    detach()


def ended(pool: sky.ComputePool) -> int:
    """How many tasks have ended so far."""
    last = pool.panel.ended()
    return last.first + len(last.times)


def test_a_view_that_draws_tasks_gets_each_once(pool: sky.ComputePool, view: View, until: Until) -> None:
    before = ended(pool)
    pool.panel.draw(view, before)
    pool.panel.visible(view, True)
    for _ in range(3):
        assert sky.gather(*map(double, range(20))) >> pool == [2 * n for n in range(20)]
        until(lambda: view.places and view.places[-1] == ended(pool) - 1, "the last one came")
    assert view.places == list(range(before, before + 60))
    assert pool.panel.ended().times[-1] == pool.timeline[-1]


def test_tasks_are_no_events_and_come_to_nobody_who_does_not_draw_them(
    pool: sky.ComputePool, view: View, until: Until
) -> None:
    pool.panel.visible(view, True)
    assert sky.gather(*map(double, range(20))) >> pool == [2 * n for n in range(20)]
    until(lambda: len(view.deltas) >= 2, "numbers came")
    assert view.places == []
    assert not pool._bus.tasks


def test_what_was_missed_while_out_of_sight_comes_later(pool: sky.ComputePool, view: View, until: Until) -> None:
    before = ended(pool)
    pool.panel.draw(view, before)
    assert sky.gather(*map(double, range(20))) >> pool == [2 * n for n in range(20)]
    assert view.deltas == []
    pool.panel.visible(view, True)
    until(lambda: view.places == list(range(before, before + 20)), "all of them came")
    pool.panel.draw(view, before + 15)  # another page of the same view, which has fewer of them
    until(lambda: view.places[20:] == list(range(before + 15, before + 20)), "the last five came again")


def test_a_listener_hears_until_the_pool_is_over(until: Until) -> None:
    heard: list[str] = []
    with sky.ComputePool(nodes=1, name="heard") as pool:
        pool.panel.listen((E.PoolState,), lambda event: heard.append(event.state))
        bus = pool._bus
    until(lambda: heard == ["stopping", "stopped"], "the end was heard")
    until(lambda: not bus.wants(E.PoolState), "nobody listens any more")
