"""What nodes cost, by a clock that is set by hand."""

from __future__ import annotations

import asyncio

import pytest

from skyward_jupyter.actors import cost as module
from skyward_jupyter.actors.bus import Bus
from skyward_jupyter.actors.cost import Cost, Meter
from skyward_jupyter.events import CostChanged


class Clock:
    """Seconds that pass when they are told to."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def told() -> list[Cost]:
    return []


@pytest.fixture
def bus(told: list[Cost]) -> Bus:
    made = Bus("lab")
    made.listen((CostChanged,), lambda event: told.append(Cost(event.per_hour, event.so_far)))
    return made


async def test_each_node_costs_from_its_start_to_its_end(bus: Bus, clock: Clock, told: list[Cost]) -> None:
    meter = Meter(bus, clock)
    meter.begin({0: 3.6, 1: 1.8})
    clock.now += 1000
    assert meter.now == pytest.approx((5.4, 1.5))
    meter.end(1)
    meter.end(1)
    clock.now += 1000
    assert meter.now == pytest.approx((3.6, 2.5))
    meter.begin({2: 3.6})
    clock.now += 500
    meter.close()
    meter.close()
    clock.now += 9000
    assert meter.now == pytest.approx((0.0, 3.5))
    await asyncio.sleep(0)
    assert [one.per_hour for one in told] == pytest.approx([5.4, 3.6, 7.2, 0.0])
    assert [one.so_far for one in told] == pytest.approx([0.0, 1.5, 2.5, 3.5])


async def test_a_node_in_the_place_of_another_costs_once(bus: Bus, clock: Clock) -> None:
    meter = Meter(bus, clock)
    meter.begin({0: 3.6})
    clock.now += 1000
    meter.begin({0: 3.6})
    clock.now += 1000
    assert meter.now == pytest.approx((3.6, 2.0))
    meter.close()


async def test_nodes_that_were_there_before_have_cost_something(bus: Bus, clock: Clock) -> None:
    meter = Meter(bus, clock)
    meter.begin({0: 3.6, 1: 3.6}, since=clock.now - 500)
    assert meter.now == pytest.approx((7.2, 1.0))
    meter.close()


async def test_it_is_told_again_while_something_costs(
    bus: Bus, clock: Clock, told: list[Cost], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "EVERY", 0.01)
    changed = asyncio.Event()
    bus.listen((CostChanged,), lambda event: changed.set())
    meter = Meter(bus, clock)
    meter.begin({0: 3.6})
    clock.now += 100
    async with asyncio.timeout(10):
        while len(told) < 3:
            changed.clear()
            await changed.wait()
    meter.close()
    assert meter._timer is None
    assert told[-1] == pytest.approx((3.6, 0.1))


async def test_what_is_free_is_never_told(bus: Bus, clock: Clock, told: list[Cost]) -> None:
    meter = Meter(bus, clock)
    meter.begin({0: 0.0, 1: 0.0})
    meter.end(0)
    meter.close()
    await asyncio.sleep(0)
    assert told == []
    assert str(meter.now) == ""


def test_it_reads_well() -> None:
    assert str(Cost(1234.5, 0.071)) == "$1,234.50/h, $0.07 so far"
    assert str(Cost(0.0, 2.0)) == "$0.00/h, $2.00 so far"
