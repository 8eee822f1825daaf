"""How much of a cell's output goes to the page, and when."""

from __future__ import annotations

import itertools

from skyward_jupyter.notebook.pacing import (
    BURST,
    DISPLAYS_A_TICK,
    HELD,
    RATE,
    TURNS,
    Entry,
    Pace,
    Skipped,
    in_few_turns,
)
from skyward_jupyter.wire.events import Display


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def text(size: int, stream: str = "stdout") -> Entry:
    return Entry(stream, "x" * (size - 1) + "\n", [0])


def shown(name: str = "") -> Entry:
    return Entry("", "", [0], Display(0, {"text/plain": name}, {}, {}))


def test_a_burst_passes_and_then_so_much_a_second() -> None:
    clock, skipped, left = Clock(), Skipped(), Skipped()
    pace = Pace(clock)
    passed = pace.let_through([text(10_000)] * 200, skipped, left)
    assert 0.95 * BURST < sum(len(entry.text) for entry in passed) <= BURST
    assert skipped.lines == 200 - len(passed)
    skipped.clear()
    clock.now = 1.0
    again = pace.let_through([text(10_000)] * 200, skipped, left)
    assert 0.9 * RATE < sum(len(entry.text) for entry in again) <= RATE + 10_000
    assert left.lines == 0


def test_what_follows_something_skipped_does_not_overtake_it() -> None:
    pace, skipped = Pace(Clock()), Skipped()
    large, small = text(2 * BURST), text(5)
    assert pace.let_through([small, large, small], skipped, skipped) == [small]
    assert skipped.tail[-1].text == small.text


def test_displays_go_out_a_few_at_a_time_and_what_follows_waits_with_them() -> None:
    pace, skipped = Pace(Clock()), Skipped()
    displays = [shown(str(number)) for number in range(50)]
    end = text(5)
    seen = pace.let_through([*displays, end], skipped, skipped)
    assert seen == displays[:DISPLAYS_A_TICK]
    assert pace.holds
    while pace.holds:
        seen += pace.let_through([], skipped, skipped)
    assert seen == [*displays, end]
    assert pace.late == 0


def test_too_many_that_wait_are_given_up_and_counted() -> None:
    pace, skipped = Pace(Clock()), Skipped()
    pace.let_through([shown() for _ in range(1000)], skipped, skipped)
    assert len(pace.rest()) == HELD
    assert pace.late == 1000 - DISPLAYS_A_TICK - HELD


def test_what_is_skipped_is_counted_and_its_end_kept() -> None:
    skipped = Skipped.for_a_moment()
    for number in range(100):
        skipped.add(Entry("stdout", f"{number}\n", [0]))
    assert skipped.lines == 100
    assert skipped.hidden == 50
    assert skipped.tail[-1].text == "99\n"


def test_streams_that_take_turns_all_the_time_are_told_one_after_the_other() -> None:
    entries = [text(10, ("stdout", "stderr")[number % 2]) for number in range(100)]
    ordered = in_few_turns(entries)
    turns = sum(one.stream != other.stream for one, other in itertools.pairwise(ordered))
    assert turns <= TURNS + 2
    assert len(ordered) == 100
    assert in_few_turns(entries[:5]) == entries[:5]


def test_displays_stay_in_their_place_among_text() -> None:
    entries = [text(10, ("stdout", "stderr")[number % 2]) for number in range(40)]
    entries.insert(30, shown("here"))
    ordered = in_few_turns(entries)
    place = next(number for number, entry in enumerate(ordered) if entry.event)
    assert place == 30
