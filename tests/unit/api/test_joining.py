"""What several nodes give, as one."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from skyward_jupyter.api.joining import joined
from skyward_jupyter.errors import UsageError


@pytest.mark.parametrize(
    ("values", "whole"),
    [
        ([[1, 2], [], [3]], [1, 2, 3]),
        ([(1,), (2, 3)], (1, 2, 3)),
        ([[]], []),
        ([], []),
        ([[[1], [2]], [[3]]], [[1], [2], [3]]),
    ],
)
def test_lists_and_tuples_are_put_end_to_end(values: list[Any], whole: object) -> None:
    assert joined(values, "x") == whole


def test_arrays_are_joined_by_their_first_axis() -> None:
    whole = joined([np.ones((2, 3)), np.zeros((0, 3)), np.zeros((1, 3))], "x")
    assert whole.shape == (3, 3)
    assert whole.sum() == 6


def test_frames_and_series_are_joined_by_rows() -> None:
    frame = pd.DataFrame({"a": range(5)})
    pd.testing.assert_frame_equal(joined([frame[:3], frame[3:]], "x"), frame)
    pd.testing.assert_series_equal(joined([frame["a"][:1], frame["a"][1:]], "x"), frame["a"])


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ([1, 2], "x cannot be joined: the nodes have int, and what is joined is lists"),
        ([[1], (2,)], "the nodes have list, tuple"),
        ([[1], np.ones(2)], "the nodes have list, ndarray"),
        (["ab", "cd"], "the nodes have str"),
        ([{1: 2}], "the nodes have dict"),
        ([np.ones((2, 3)), np.ones((2, 4))], r"have shapes \(2, 3\), \(2, 4\)"),
        ([np.ones(()), np.ones(())], r"have shapes \(\), \(\)"),
    ],
)
def test_others_are_refused_with_what_they_are(values: list[Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        joined(values, "x")
