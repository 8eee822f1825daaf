"""--scatter: parts of sequences, in node order and of the type of the whole."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from skyward_jupyter.errors import UsageError
from skyward_jupyter.notebook.scattering import scattered, told


def parts(value: Any, *ranks: int) -> list[Any]:
    return list(scattered(["x"], {"x": value}, ranks or (0, 1, 2))["x"].values())


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (list(range(7)), [[0, 1, 2], [3, 4], [5, 6]]),
        ((1, 2, 3), [(1,), (2,), (3,)]),
        (range(5), [range(2), range(2, 4), range(4, 5)]),
        ("abcd", ["ab", "c", "d"]),
        ([1], [[1], [], []]),
        ([], [[], [], []]),
    ],
)
def test_parts_follow_each_other(value: Any, expected: list[Any]) -> None:
    assert parts(value) == expected


def test_arrays_and_frames_keep_their_types() -> None:
    array = np.arange(20).reshape(10, 2)
    assert np.array_equal(np.concatenate(parts(array)), array)
    frame = pd.DataFrame({"a": range(5)}, index=[9, 8, 7, 6, 5])
    assert pd.concat(parts(frame)).equals(frame)
    series = pd.Series([1.0, 2.0], index=["p", "q"])
    assert [type(part) for part in parts(series)] == [pd.Series] * 3
    assert pd.concat(parts(series)).equals(series)


def test_each_node_has_its_own() -> None:
    found = scattered(["x"], {"x": [1, 2, 3]}, [4, 7])
    assert found == {"x": {4: [1, 2], 7: [3]}}


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ({1: 2}, "x is of type dict, which has no order to split it by; make it a list first: x = list(x)"),
        ({1, 2}, "no order"),
        (3, "x is of type int, which is no sequence, send it whole with -i"),
        ((item for item in [1]), "x is of type generator, which is no sequence; make it a list first"),
        (np.array(5), "no sequence"),
        (None, "NoneType"),
    ],
    ids=["dict", "set", "int", "generator", "no axis", "None"],
)
def test_what_is_no_sequence_is_refused_in_a_sentence(value: object, said: str) -> None:
    with pytest.raises(UsageError, match="--scatter x: ") as caught:
        parts(value)
    assert said in str(caught.value)


def test_names_of_different_lengths_would_not_fit_each_other() -> None:
    with pytest.raises(UsageError, match="--scatter x,y: x has 3 items, y has 2 items, so their parts would not fit"):
        scattered(["x", "y"], {"x": [1, 2, 3], "y": [1, 2]}, [0, 1])


def test_nodes_that_get_nothing_are_told() -> None:
    def said(value: list[int]) -> list[str]:
        return told(["x"], scattered(["x"], {"x": value}, range(4)))

    assert said([1, 2, 3, 4]) == []
    assert said([1, 2, 3]) == ["--scatter x: 3 items for 4 nodes, so node 3 gets an empty part"]
    assert said([1]) == ["--scatter x: 1 item for 4 nodes, so nodes 1-3 get empty parts"]
    assert said([]) == ["--scatter x: 0 items for 4 nodes, so nodes 0-3 get empty parts"]
    assert told([], {}) == []
