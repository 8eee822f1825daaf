"""Round moments on an axis."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from skyward_jupyter.widgets.ticks import step_of, ticks

MIDNIGHT = 1_800_057_600.0


@pytest.fixture(autouse=True)
def kathmandu(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A clock that is 5 hours and 45 minutes ahead."""
    monkeypatch.setenv("TZ", "Asia/Kathmandu")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize(
    ("seconds", "step"),
    [
        (2e-5, 5e-6), (0.001, 0.0002), (0.9, 0.2), (2.4, 0.5), (2.6, 1), (9, 2), (24, 5), (70, 15), (400, 120),
        (4000, 900), (20_000, 7200), (400_000, 86400), (10**6, 259_200),
    ],
)  # fmt: skip
def test_steps_are_round(seconds: float, step: float) -> None:
    assert step_of(seconds, 5) == pytest.approx(step)


@pytest.mark.parametrize(
    ("start", "seconds", "labels"),
    [
        (0.05, 0.9, ["05:45:00.2", "05:45:00.4", "05:45:00.6", "05:45:00.8"]),
        (0.5, 4.2, ["05:45:01", "05:45:02", "05:45:03", "05:45:04"]),
        (3, 40, ["05:45:10", "05:45:20", "05:45:30", "05:45:40"]),
        (0, 400, ["05:46", "05:48", "05:50"]),
        (0, 5 * 3600, ["06:00", "07:00", "08:00", "09:00", "10:00"]),
    ],
)
def test_they_are_round_on_the_local_clock(start: float, seconds: float, labels: list[str]) -> None:
    found = ticks(MIDNIGHT + start, seconds, 5)
    assert [label for _, label in found] == labels
    assert all(start <= moment - MIDNIGHT <= start + seconds for moment, _ in found)


def test_days_have_their_dates() -> None:
    assert [label for _, label in ticks(MIDNIGHT, 3 * 86400, 5)] == ["17 Jan", "18 Jan", "19 Jan"]
