"""How tasks ended, over nodes that leave and kernels that take over."""

from __future__ import annotations

import pytest

from skyward_jupyter.actors.tally import NOWHERE, Jobs, Tallies, Tally


def test_ends_are_apart_and_add_up() -> None:
    tallies = Tallies()
    for rank, error in ((0, ""), (0, "ValueError"), (1, "TaskInterrupted"), (1, "KeyboardInterrupt"), (1, "")):
        tallies.count(rank, error)
    tallies.count(NOWHERE, "TaskInterrupted")
    assert tallies.total == Tally(2, 1, 3)
    assert tallies.total.ended == 6
    assert (tallies.of(0), tallies.of(1), tallies.of(7)) == (Tally(1, 1), Tally(1, 0, 2), Tally())


@pytest.mark.parametrize("error", ["TaskTimeout", "NodeLost", "SlotDied", "ExceptionGroup"])
def test_what_nobody_stopped_has_failed(error: str) -> None:
    tallies = Tallies()
    tallies.count(0, error)
    assert tallies.total == Tally(0, 1, 0)


def test_it_reads_as_a_person_says_it() -> None:
    assert str(Tally()) == "0 tasks done"
    assert str(Tally(1)) == "1 task done"
    assert str(Tally(1234, 2, 1)) == "1,234 tasks done, 2 failed, 1 cancelled"


def test_a_cell_that_did_not_run_is_no_end() -> None:
    tallies = Tallies()
    tallies.count(0, None)
    assert tallies.total.ended == 0
    assert tallies.record() == ()


def test_a_node_that_is_replaced_takes_nothing_away() -> None:
    tallies = Tallies()
    for _ in range(5):
        tallies.count(3, "")
    tallies.fresh(3)
    tallies.adopt(3, (0, 0, 0), 0)
    tallies.count(3, "")
    assert tallies.of(3) == Tally(6)


@pytest.mark.parametrize("noted", range(5))
def test_a_kernel_that_takes_over_goes_on_counting(noted: int) -> None:
    """The first kernel wrote its record after `noted` of five ends, and acknowledged four; the node knows all."""
    before, after = Tallies(), Tallies()
    errors = ["", "ValueError", "", "TaskInterrupted", ""]
    for error in errors[:noted]:
        before.count(0, error)
    after.take(before.record())
    after.adopt(0, (3, 1, 1), to_come=1)
    after.count(0, errors[4])
    assert after.total == Tally(3, 1, 1)


def test_ends_that_were_counted_and_come_again_count_once() -> None:
    before, after = Tallies(), Tallies()
    for _ in range(4):
        before.count(0, "")
    after.take(before.record())
    after.adopt(0, (4, 0, 0), to_come=2)
    assert after.total.ended == 2
    after.count(0, "")
    after.count(0, "ResultGone")
    assert after.total == Tally(4)


def test_what_nodes_that_are_gone_did_is_in_the_record() -> None:
    before, after = Tallies(), Tallies()
    for rank in (0, 1, 1, NOWHERE):
        before.count(rank, "")
    after.take(before.record())
    after.adopt(0, (1, 0, 0), 0)
    assert after.total == Tally(4)


def test_jobs_of_a_node_that_was_replaced_stay_counted() -> None:
    jobs = Jobs()
    jobs.heard(0, (4, 1, 0))
    jobs.heard(1, (2, 0, 0))
    jobs.heard(0, (1, 0, 0))
    jobs.heard(0, (2, 0, 0))
    assert jobs.of(0) == Tally(6, 1)
    assert jobs.total == Tally(8, 1)
