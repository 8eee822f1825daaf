"""The times that a pool keeps of tasks that ended."""

from __future__ import annotations

from skyward_jupyter.actors.desk import Desk
from skyward_jupyter.actors.past import KEPT, Times


def desk(ended: int) -> Desk:
    made = Desk()
    for number in range(1, ended + 1):
        times: Times = (number, "f", 0, 0.0, 0.0, 0.0, 0.0, 0.0, "", 1, 0)
        made.times.append(times)
    return made


def numbers(times: list[Times]) -> list[int]:
    return [one[0] for one in times]


def test_what_ended_after_a_moment() -> None:
    first, times = desk(10).ended(7, 100)
    assert (first, numbers(times)) == (7, [8, 9, 10])
    assert desk(10).ended(10, 100) == (10, [])
    assert desk(10).ended(12, 100) == (10, [])


def test_of_too_many_the_last() -> None:
    first, times = desk(10).ended(0, 4)
    assert (first, numbers(times)) == (6, [7, 8, 9, 10])
    first, times = desk(KEPT + 5).ended(0, KEPT + 100)
    assert (first, len(times), times[0][0]) == (5, KEPT, 6)
