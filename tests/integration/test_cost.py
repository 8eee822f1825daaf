"""A pool whose nodes cost money, from a provider that says so."""

from __future__ import annotations

import itertools

import pytest

import skyward as sky
from skyward_jupyter.actors.source import Delta, Snapshot
from skyward_jupyter.fleets import choice
from skyward_jupyter.fleets.local import LocalFleet
from skyward_jupyter.widgets.static import Picture
from tests.integration.conftest import Until

E = sky.events


class Charging(LocalFleet):
    """Nodes on this machine, at a price: the first costs more."""

    name = "dear"

    def hourly_cost(self, rank: int) -> float:
        return 3600.0 if rank == 0 else 1800.0


class View:
    """Keeps what it is shown."""

    def __init__(self) -> None:
        self.shown: list[Snapshot] = []

    def show(self, snapshot: Snapshot) -> None:
        self.shown.append(snapshot)

    def delta(self, delta: Delta) -> None:
        """Not what this is about."""

    def refuse(self, sentence: str) -> None:
        raise AssertionError(sentence)

    def close(self, snapshot: Snapshot) -> None:
        self.shown.append(snapshot)


@pytest.fixture
def priced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choice, "LocalFleet", Charging)


@pytest.mark.usefixtures("priced")
def test_cost_follows_the_nodes(until: Until) -> None:
    pool = sky.ComputePool(nodes=2, name="dear")
    told: list[E.CostChanged] = []
    pool.on(E.CostChanged, told.append)
    assert pool.cost == (0.0, 0.0)
    with pool:
        assert pool.cost.per_hour == 5400.0
        pool.scale(3)
        assert pool.cost.per_hour == 7200.0
        pool.scale(1)
        assert pool.cost.per_hour == 3600.0
        snapshot = pool._inner.panel.snapshot()
        assert snapshot["per_hour"] == 3600.0
        assert f"${3600:,}.00/h, $" in Picture(snapshot, None, 0.0).plain()
        before = pool.cost.so_far
        until(lambda: pool.cost.so_far > before, "time is money")
    until(lambda: bool(told) and told[-1].per_hour == 0.0, "the end is told")
    rates = [event.per_hour for event in told]
    assert rates[:2] == [5400.0, 7200.0]
    assert rates[-1] == 0.0
    # Each step costs what the rate before it was, for as long as that held.
    expected = 0.0
    for event, after in itertools.pairwise(told):
        expected += event.per_hour * (after.at - event.at) / 3600
    assert told[-1].so_far == pytest.approx(expected, rel=0.05, abs=0.05)
    assert pool.cost == (0.0, told[-1].so_far)


@pytest.mark.usefixtures("priced")
def test_what_remains_on_show_is_what_it_cost(until: Until) -> None:
    view = View()
    with sky.ComputePool(nodes=2, name="dear") as pool:
        pool._inner.panel.attach(view)
        until(lambda: view.shown, "it is shown")
    last = view.shown[-1]
    assert (last["state"], len(last["nodes"])) == ("stopped", 2)
    assert (last["per_hour"], last["so_far"]) == pool.cost
    # Whoever looks later sees the same.
    pool._inner.panel.attach(late := View())
    until(lambda: late.shown, "it is shown")
    assert late.shown == [last] == [pool._inner.panel.snapshot()]


def test_nodes_on_this_machine_are_free(pool: sky.ComputePool) -> None:
    assert pool.cost == (0.0, 0.0)
    assert "$" not in Picture(pool._inner.panel.snapshot(), None, 0.0).plain()
