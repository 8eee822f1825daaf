"""What is remembered of tasks that have ended, and that it makes no objects that outlive them."""

from __future__ import annotations

import gc

import pytest

from skyward_jupyter.actors.past import Past, Throughput, Times


def times(number: int, name: str = "f", error: str = "") -> Times:
    return number, name, number % 3, 1.5, 2.5, 3.5, 4.5, 5.5, error, 2, 4


def test_the_last_ones_as_they_were_given() -> None:
    past = Past(4)
    assert (list(past), past.last(0)) == ([], [])
    given = [times((7 << 40) + number, f"f{number}", "ValueError" * (number % 2)) for number in range(6)]
    for each in given:
        past.append(each)
    assert list(past) == given[2:]
    assert past.last(2) == given[4:]
    assert (len(past), past.recorded) == (4, 6)


def test_a_full_memory_makes_no_objects() -> None:
    past, throughput = Past(10), Throughput()
    for number in range(20):
        past.append(times(number))
    gc.collect()
    before = len(gc.get_objects())
    for number in range(1000):
        past.append(times(number))
        throughput.count()
    assert len(gc.get_objects()) <= before + 5


def test_how_many_ended_lately(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    throughput = Throughput()
    for _ in range(30):
        throughput.count()
        now += 0.1
    assert throughput.rate(3.0) == pytest.approx(10, rel=0.1)
    now += 60
    assert throughput.rate(3.0) == 0
