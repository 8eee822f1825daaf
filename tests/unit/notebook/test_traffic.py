"""The line about what was sent: there for large values, absent from everyday cells."""

from __future__ import annotations

import pytest

from skyward_jupyter.notebook.traffic import Traffic


@pytest.mark.parametrize(
    ("sent", "reused", "line"),
    [
        ({}, {}, ""),
        ({"a": 10, "b": 999_000}, {"d": 500_000}, ""),
        ({"a": 12_000_000}, {}, "sent 1 name (12 MB)"),
        ({"a": 600_000, "b": 600_000}, {"d": 10}, "sent 2 names (1.2 MB), reused 1 (10 bytes)"),
        ({"a": 10}, {"d": 1_200_000_000, "e": 5}, "sent 1 name (10 bytes), reused 2 (1.2 GB)"),
        ({}, {"d": 3_000_000}, "reused 1 name (3 MB)"),
    ],
)
def test_the_line(sent: dict[str, int], reused: dict[str, int], line: str) -> None:
    assert Traffic.of(sent, reused, set()).line() == line


def test_what_was_told_to_be_reused_is_everyday_from_then_on() -> None:
    assert Traffic.of({}, {"d": 3_000_000}, {"d"}).line() == ""
    assert Traffic.of({"a": 2_000_000}, {"d": 3_000_000}, {"d"}).line() == "sent 1 name (2 MB), reused 1 (3 MB)"
