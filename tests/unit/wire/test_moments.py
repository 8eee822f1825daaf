"""Moments on clocks that neither a clock that is set nor a machine that sleeps misleads."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from skyward_jupyter.wire import moments
from skyward_jupyter.wire.moments import Moment, beside, note_end, noted_end


class Clock:
    """What the clocks of a machine show."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.wall, self.ran, self.awake = 1000.0, 500.0, 400.0
        monkeypatch.setattr(time, "time", lambda: self.wall)
        monkeypatch.setattr(time, "monotonic", lambda: self.awake)
        monkeypatch.setattr(time, "clock_gettime", lambda clock: self.ran)

    def go(self, wall: float, ran: float, awake: float) -> None:
        """Let so much time pass."""
        self.wall += wall
        self.ran += ran
        self.awake += awake


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


def test_an_age_includes_sleep_and_does_not_follow_the_clock(clock: Clock) -> None:
    then = moments.now()
    clock.go(wall=7200.0, ran=60.0, awake=10.0)
    assert (then.age(), then.awake_for()) == (60.0, 10.0)
    clock.go(wall=-9000.0, ran=1.0, awake=1.0)
    assert (then.age(), then.awake_for()) == (61.0, 11.0)


def test_before_the_last_boot_only_the_clock_on_the_wall_tells(clock: Clock) -> None:
    then = Moment(900.0, "another boot", 9.0, 9.0)
    assert (then.age(), then.awake_for()) == (100.0, 100.0)
    assert Moment(2000.0, "another boot").age() == 0.0


def test_the_end_of_a_kernel_is_noted_for_its_epoch(tmp_path: Path) -> None:
    record = tmp_path / "p~1.json"
    record.write_text("{}")
    before = moments.now()
    note_end(record, 3)
    found = noted_end(record, 3)
    assert found is not None
    assert before.ran <= found.ran <= moments.now().ran
    assert noted_end(record, 4) is None
    assert sorted(path.name for path in tmp_path.iterdir()) == ["p~1.json", "p~1.left"]
    for text in ("", "[]", "{}", '{"epoch": 3, "other": 1}'):
        beside(record).write_text(text)
        assert noted_end(record, 3) is None


def test_nothing_is_noted_of_a_pool_without_a_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    record = tmp_path / "p~1.json"
    with pytest.raises(FileNotFoundError):
        note_end(record, 0)
    record.write_text("{}")
    made = moments.now

    def removed() -> Moment:
        record.unlink(missing_ok=True)
        return made()

    monkeypatch.setattr(moments, "now", removed)
    note_end(record, 0)
    assert list(tmp_path.iterdir()) == []
