"""Frames alike in a traceback."""

from __future__ import annotations

import traceback
from types import TracebackType

import pytest

from skyward_jupyter.agent.repeats import without_repeats


def _down(depth: int) -> None:
    if depth:
        _down(depth - 1)
    raise LookupError


def raised(depth: int) -> TracebackType:
    with pytest.raises(LookupError) as caught:
        _down(depth)
    assert caught.value.__traceback__ is not None
    return caught.value.__traceback__


def test_the_ends_of_many_are_kept() -> None:
    tb = raised(100)
    (said,) = without_repeats(tb, lambda name: name == __file__)
    assert said.startswith("96 more frames of _down at line ")
    assert [frame.name for frame in traceback.extract_tb(tb)].count("_down") == 5


def test_a_few_are_shown_as_they_are() -> None:
    tb = raised(8)
    assert without_repeats(tb, lambda _: True) == []
    assert [frame.name for frame in traceback.extract_tb(tb)].count("_down") == 9


def test_other_code_is_left_alone() -> None:
    tb = raised(100)
    assert without_repeats(tb, lambda _: False) == []
    assert len(traceback.extract_tb(tb)) > 100
    assert without_repeats(None, lambda _: True) == []
