"""What tells pages that their kernel is there."""

from __future__ import annotations

import threading
import time

import pytest

from skyward_jupyter.widgets import beats
from skyward_jupyter.widgets.beats import Beats

WITHIN = 10.0


class Told:
    """Counts the beats, and lets a test wait for some."""

    def __init__(self) -> None:
        self.count = 0
        self._changed = threading.Condition()

    def beat(self) -> None:
        with self._changed:
            self.count += 1
            self._changed.notify_all()

    def reach(self, count: int) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: self.count >= count, WITHIN)


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Told:
    monkeypatch.setattr(beats, "EVERY", 0.02)
    return Told()


def test_who_sees_a_view_is_told_at_once_and_again(told: Told) -> None:
    beating = Beats(told.beat, lambda: False)
    beating.see("a", True)
    told.reach(5)
    beating.see("a", False)


def test_a_main_thread_that_is_blocked_changes_nothing(told: Told) -> None:
    beating = Beats(told.beat, lambda: False)
    beating.see("a", True)
    told.reach(1)
    before = told.count
    time.sleep(0.2)  # the fault itself: this thread does nothing else meanwhile
    assert told.count > before + 2
    beating.see("a", False)


def test_nothing_is_told_while_no_view_is_seen(told: Told) -> None:
    beating, other = Beats(told.beat, lambda: False), Told()
    beating.see("a", True)
    told.reach(2)
    beating.see("a", False)
    clock = Beats(other.beat, lambda: False)
    clock.see("b", True)
    other.reach(2)  # what was told before has gone by now
    before = told.count
    other.reach(other.count + 5)
    clock.see("b", False)
    assert told.count == before


def test_nothing_is_told_when_it_is_over(told: Told) -> None:
    over: list[bool] = []
    beating, other = Beats(told.beat, lambda: bool(over)), Told()
    beating.see("a", True)
    told.reach(1)
    over.append(True)
    clock = Beats(other.beat, lambda: False)
    clock.see("b", True)
    other.reach(2)
    before = told.count
    other.reach(other.count + 5)
    clock.see("b", False)
    assert told.count == before
