"""The queue of waiting tasks: its order, and taking out any of them."""

from __future__ import annotations

import time

from skyward_jupyter.actors.queue import Queue


def queue(*numbers: int) -> Queue:
    made = Queue()
    made.extend(numbers)
    return made


def test_they_come_out_in_the_order_in_which_they_came() -> None:
    made = queue(3, 1, 2)
    made.append(5)
    assert (list(made), made.head, len(made)) == ([3, 1, 2, 5], 3, 4)
    assert [made.take() for _ in range(4)] == [3, 1, 2, 5]
    assert (made.head, bool(made)) == (0, False)


def test_what_comes_back_is_next() -> None:
    made = queue(4, 5)
    made.prepend([1, 2, 3])
    assert list(made) == [1, 2, 3, 4, 5]


def test_any_is_taken_out() -> None:
    made = queue(*range(5))
    made.remove(2)
    assert 2 not in made
    assert 3 in made
    assert list(made) == [0, 1, 3, 4]
    made.clear()
    assert not made


def test_a_crowd_is_taken_out_from_either_end_in_no_time() -> None:
    """By looking through all of them for each this takes minutes."""
    made = queue(*range(100_000))
    began = time.process_time()
    for number in range(99_999, 49_999, -1):
        made.remove(number)
    assert [made.take() for _ in range(50_000)] == list(range(50_000))
    assert time.process_time() - began < 10
