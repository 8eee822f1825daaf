"""Whose turn it is on a node."""

from __future__ import annotations

from skyward_jupyter.notebook.queues import Queues


class Run:
    def __init__(self) -> None:
        self.turns: list[int] = []

    def turn(self, rank: int) -> None:
        self.turns.append(rank)


def test_runs_take_turns_on_each_node() -> None:
    queues, first, second = Queues(), Run(), Run()
    queues.enter(first, [0, 1])
    queues.enter(second, [1, 2])
    assert (first.turns, second.turns) == ([0, 1], [2])
    queues.leave(first, 1)
    assert second.turns == [2, 1]
    queues.leave(first, 1)
    queues.leave(second, 1)
    assert second.turns == [2, 1]


def test_one_that_leaves_before_its_turn_is_passed_over() -> None:
    queues, first, second, third = Queues(), Run(), Run(), Run()
    for run in (first, second, third):
        queues.enter(run, [0])
    queues.leave(second, 0)
    queues.leave(first, 0)
    assert (second.turns, third.turns) == ([], [0])
