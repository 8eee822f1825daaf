"""Tasks as they travel to a page."""

from __future__ import annotations

import json

import pytest

from skyward_jupyter.actors.source import Ended
from skyward_jupyter.events import TaskTimes
from skyward_jupyter.widgets.tasks import ROW, packed

NOW = 1_800_000_000.0


def test_rows_are_moments_after_the_first_and_places_of_words() -> None:
    tasks = [
        TaskTimes(2**41 + 3, "train", 3, NOW + 1, NOW + 1.5, NOW + 2, NOW + 2.25, NOW + 2.5),
        TaskTimes(7, "train", 249, NOW, NOW, NOW, NOW + 0.001, NOW + 0.002, "ValueError"),
    ]
    header, rows = packed(Ended(40, tasks))
    assert json.loads(json.dumps(header)) == {"first": 40, "base": NOW, "words": ["", "train", "ValueError"]}
    first, second = ROW.iter_unpack(rows)
    assert first == (2**41 + 3, 1.0, 1.5, 2.0, 2.25, 2.5, 3, 1, 0)
    assert second[0] == 7
    assert second[1:6] == pytest.approx((0, 0, 0, 0.001, 0.002), abs=1e-6)
    assert second[6:] == (249, 1, 2)


def test_a_full_delta_is_small() -> None:
    _, rows = packed(Ended(0, [TaskTimes(1, "f", 0, NOW, NOW, NOW, NOW, NOW)] * 2000))
    assert len(rows) == 72_000


def test_none_and_long_names() -> None:
    assert packed(Ended(5, ())) == ({"first": 5, "base": 0.0, "words": [""]}, b"")
    header, _ = packed(Ended(0, [TaskTimes(1, "f" * 1000, 0, NOW, NOW, NOW, NOW, NOW)]))
    assert header["words"] == ["", "f" * 80]
