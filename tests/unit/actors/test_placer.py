"""Which node takes the next task."""

from __future__ import annotations

import itertools

from skyward_jupyter.actors.placing import AHEAD, MOST_AHEAD, Placer, Seat


def placer(*nodes: tuple[int, int], tasks: int = 0) -> Placer:
    made = Placer()
    for rank, slots in nodes:
        made.up(rank, slots)
    made.queue.extend(range(tasks))
    return made


def test_nothing_is_placed_without_nodes() -> None:
    made = placer(tasks=3)
    assert made.place() == {}
    assert list(made.queue) == [0, 1, 2]


def test_free_slots_are_filled_one_each_in_turn() -> None:
    assert placer((0, 2), (1, 2), (2, 1), tasks=9).place() == {0: [0, 3], 1: [1, 4], 2: [2]}


def test_single_tasks_go_round() -> None:
    made = placer((0, 1), (1, 1), (2, 1))
    went = []
    for number in range(7):
        made.queue.append(number)
        ((rank, _),) = made.place().items()
        went.append(rank)
        made.settled(rank, 1, 1.0)
    assert went == [0, 1, 2, 0, 1, 2, 0]


def test_tasks_stay_in_order() -> None:
    made = placer((3, 2), (5, 1), tasks=20)
    order: list[int] = []
    while made.queue:
        for rank, tasks in made.place().items():
            assert tasks == sorted(tasks)
            order += tasks
            made.settled(rank, len(tasks), 1.0)
    assert sorted(order) == list(range(20))


def test_long_tasks_wait_for_a_free_slot() -> None:
    made = placer((0, 2), tasks=10)
    assert made.place() == {0: [0, 1]}
    assert made.place() == {}
    made.settled(0, 1, AHEAD * 2)
    assert made.place() == {0: [2]}


def test_short_tasks_are_supplied_ahead() -> None:
    made = placer((0, 1), tasks=1000)
    assert len(made.place()[0]) == 1
    made.settled(0, 1, AHEAD / 10)
    assert len(made.place()[0]) == 11
    made.settled(0, 11, 1e-9)
    ahead = len(made.place()[0])
    assert 11 < ahead <= 1 + MOST_AHEAD


def test_what_waits_behind_a_long_task_comes_back_and_goes_elsewhere() -> None:
    made = placer((0, 1), (1, 1), tasks=2)
    made.place()
    for rank in (0, 1):
        made.settled(rank, 1, AHEAD / 100)
    made.queue.extend(range(10, 60))
    given = made.place()
    assert made.supplied
    assert made.stuck() == []
    made.settled(1, len(given[1]), AHEAD / 100)
    assert made.stuck() == [0]
    behind = given[0][1:]
    made.returned(0, behind, behind)
    assert not made.supplied
    again = made.place()
    assert set(again) == {1}
    assert again[1] == behind[: len(again[1])]
    assert list(made.queue) == behind[len(again[1]) :]
    assert made.stuck() == []


def test_what_comes_back_unwanted_only_makes_room() -> None:
    made = placer((0, 1), tasks=1)
    made.place()
    made.settled(0, 1, AHEAD / 100)
    made.queue.extend([5, 6, 7])
    made.place()
    made.returned(0, [6, 7], [7])
    assert list(made.queue) == [7]
    made.returned(9, [8], [8])
    assert list(made.queue) == [8, 7]


def test_free_slots_come_before_supplies() -> None:
    made = placer((0, 1), (1, 1), tasks=1)
    made.place()
    made.settled(0, 1, 1e-6)
    made.queue.extend([10, 11])
    assert sorted(made.place()) == [0, 1]


def test_a_window_follows_how_long_tasks_take() -> None:
    seat = Seat(0, 4)
    windows = []
    for seconds in (1e-6, 1.0, 1.0, 1.0):
        seat.learn(seconds)
        windows.append(seat.window)
    assert windows == sorted(windows, reverse=True)
    assert windows[-1] == 4


def test_a_node_that_is_down_gets_nothing() -> None:
    made = placer((0, 1), (1, 1), tasks=2)
    made.down(0)
    assert made.place() == {1: [0]}
    made.settled(0, 1, 1.0)
    made.down(0)
    assert made.place() == {}


def test_a_node_that_comes_back_starts_empty() -> None:
    made = placer((0, 1), tasks=3)
    made.place()
    made.down(0)
    made.up(0, 2)
    assert made.place() == {0: [1, 2]}


def test_more_ended_than_given_frees_no_more_than_there_is() -> None:
    made = placer((0, 1), tasks=5)
    made.settled(0, 50, 1.0)
    assert made.place() == {0: [0]}


def test_every_task_is_placed_once_whatever_happens() -> None:
    made = placer((0, 1), (1, 2), (2, 1), tasks=500)
    held: dict[int, list[int]] = {0: [], 1: [], 2: []}
    done: list[int] = []
    for step in itertools.count():
        for rank, tasks in made.place().items():
            held[rank] += tasks
        if not made.queue and not any(held.values()):
            break
        rank = step % 3
        if step % 17 == 0:
            made.down(rank)
            made.queue.prepend(held[rank])
            held[rank] = []
            made.up(rank, 1)
        ended, held[rank] = held[rank][:2], held[rank][2:]
        done += ended
        made.settled(rank, len(ended), (step % 5) / 100)
    assert sorted(done) == list(range(500))


def test_slots_without_a_job_come_first() -> None:
    made = placer((0, 1), (1, 1), (2, 2), tasks=3)
    for rank in (0, 2):
        made.job(rank, 1)
    assert made.place() == {1: [0], 2: [1], 0: [2]}, "and the others next: a task waits on a node, not here"
    for rank in (0, 2):
        made.job(rank, -1)
    made.queue.extend([8, 9])
    assert made.place() == {2: [8]}, "as if there had been none"


def test_a_node_that_cannot_be_reached_gets_nothing_while_others_can() -> None:
    made = placer((0, 1), (1, 1), tasks=3)
    made.away(1, True)
    assert made.place() == {0: [0]}
    made.away(1, False)
    assert made.place() == {1: [1]}
    made.away(0, True)
    made.away(1, True)
    made.settled(0, 1, 1.0)
    assert made.place() == {0: [2]}


def test_a_node_without_slots_is_given_nothing() -> None:
    placer = Placer()
    placer.up(0, 2)
    placer.up(1, 2)
    placer.resize(0, 0)
    placer.queue.extend(range(4))
    assert placer.place() == {1: [0, 1]}
    placer.resize(0, 1)
    assert placer.place() == {0: [2]}
    placer.resize(7, 1)  # one that is gone
