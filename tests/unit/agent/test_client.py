"""A client of a node: which tasks it was ever given, as a kernel that takes the pool over is told."""

from __future__ import annotations

import pytest

from skyward_jupyter.agent import client
from skyward_jupyter.agent.client import Client
from skyward_jupyter.wire.messages import Task


def given(*numbers: int) -> Client:
    made = Client(lambda _: None)
    for number in numbers:
        made.remember(Task(number, "", b""))
    return made


def test_ranges_without_a_gap() -> None:
    assert given().handed() == ()
    assert given(7).handed() == ((7, 7),)
    assert given(5, 6, 9, 7, 12).handed() == ((5, 7), (9, 9), (12, 12))


def test_what_was_handed_back_was_not_given() -> None:
    made = given(1, 2, 3)
    made.forget(2)
    assert made.handed() == ((1, 1), (3, 3))


def test_what_is_not_remembered_any_more_was_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "_REMEMBERED", 3)
    assert given(2, 4, 6, 8, 10).handed() == ((0, 4), (6, 6), (8, 8), (10, 10))
