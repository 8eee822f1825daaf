"""A node's share of some data."""

from __future__ import annotations

import array
import itertools
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest

import skyward as sky
from skyward_jupyter.agent import context
from skyward_jupyter.agent.config import AgentConfig, Peer
from skyward_jupyter.agent.context import info_of


@contextmanager
def on_node(rank: int, ranks: tuple[int, ...]) -> Iterator[None]:
    """Run the block as on one of these nodes."""
    before = context._current
    peers = tuple(Peer(rank, f"127.0.0.{rank + 1}:25520") for rank in ranks)
    context.enter(info_of(AgentConfig("unit", rank, "", (), "", ""), peers))
    try:
        yield
    finally:
        context._current = before


def parts(*data: Any, ranks: tuple[int, ...] = (0, 1, 2), **how: Any) -> list[Any]:
    """What each node gets."""
    found = []
    for rank in ranks:
        with on_node(rank, ranks):
            found.append(sky.shard(*data, **how))
    return found


@pytest.mark.parametrize(
    "data",
    [
        list("abcdefgh"),
        tuple("abcdefgh"),
        "abcdefgh",
        b"abcdefgh",
        range(3, 19, 2),
        bytearray(b"abcdefgh"),
        deque("abcdefgh"),
    ],
    ids=lambda data: type(data).__name__,
)
def test_every_third_item_in_its_own_type(data: Any) -> None:
    found = parts(data)
    assert [type(part) for part in found] == [type(data)] * 3
    assert [list(part) for part in found] == [list(data)[rank::3] for rank in range(3)]


def test_numpy_arrays_along_their_first_axis() -> None:
    data = np.arange(24.0).reshape(8, 3)
    found = parts(data)
    assert all(np.array_equal(part, data[rank::3]) for rank, part in enumerate(found))
    assert {part.dtype for part in found} == {data.dtype}


def test_pandas_keeps_its_index() -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"a": range(8)}, index=list("abcdefgh"))
    found = parts(frame)
    assert [list(part.index) for part in found] == [list("adg"), list("beh"), list("cf")]
    assert all(isinstance(part, pandas.Series) for part in parts(frame["a"]))


def test_something_with_iloc() -> None:
    class Frame:
        def __init__(self, rows: list[str]) -> None:
            self.rows = rows
            self.iloc = self

        def __len__(self) -> int:
            return len(self.rows)

        def __getitem__(self, rows: list[int]) -> Frame:
            return Frame([self.rows[row] for row in rows])

    assert [part.rows for part in parts(Frame(list("abcd")))] == [["a", "d"], ["b"], ["c"]]


@pytest.mark.parametrize("shuffle", [False, True])
@pytest.mark.parametrize("drop_last", [False, True])
def test_several_arrays_stay_aligned(shuffle: bool, drop_last: bool) -> None:
    found = parts(list(range(10)), np.arange(10) * 2, "0123456789", shuffle=shuffle, drop_last=drop_last)
    for numbers, doubled, text in found:
        assert list(doubled) == [2 * number for number in numbers]
        assert text == "".join(map(str, numbers))


def test_shuffled_the_parts_are_still_everything() -> None:
    data = list(range(100))
    found = parts(data, shuffle=True, seed=3)
    assert sorted(itertools.chain(*found)) == data
    assert found != parts(data)
    assert found == parts(data, shuffle=True, seed=3)
    assert found != parts(data, shuffle=True, seed=4)
    assert data == list(range(100))


def test_shuffling_a_range() -> None:
    found = parts(range(10), shuffle=True)
    assert sorted(itertools.chain(*found)) == list(range(10))


@pytest.mark.parametrize("length", range(8))
def test_lengths_differ_by_at_most_one_or_not_at_all(length: int) -> None:
    lengths = {len(part) for part in parts(list(range(length)))}
    assert max(lengths) - min(lengths) <= 1
    assert {len(part) for part in parts(list(range(length)), drop_last=True)} == {length // 3}


def test_places_count_not_ranks() -> None:
    assert parts(list(range(6)), ranks=(1, 4)) == [[0, 2, 4], [1, 3, 5]]


@pytest.mark.parametrize("shuffle", [False, True])
@pytest.mark.parametrize("drop_last", [False, True])
@pytest.mark.parametrize("order", [(0, 1, 2, 3), (0, 2, 1, 3)], ids=["pairs", "halves"])
def test_pairs_of_different_lengths(shuffle: bool, drop_last: bool, order: tuple[int, ...]) -> None:
    train, test = np.arange(10), list(range(100, 107))
    given = (train, train * 2, test, [-value for value in test])
    found = parts(*(given[at] for at in order), shuffle=shuffle, drop_last=drop_last)
    for part in found:
        x_train, y_train, x_test, y_test = (part[order.index(at)] for at in range(4))
        assert list(y_train) == [2 * value for value in x_train]
        assert y_test == [-value for value in x_test]
    whole = not drop_last
    assert sum(len(part[0]) for part in found) == (10 if whole else 9)
    assert sum(len(part[order.index(2)]) for part in found) == (7 if whole else 6)


def test_three_lengths_in_pairs() -> None:
    found = parts([1, 2, 3], "abc", [4, 5], "de", [], "")
    assert found == [([1], "a", [4], "d", [], ""), ([2], "b", [5], "e", [], ""), ([3], "c", [], "", [], "")]


def test_a_part_that_is_named() -> None:
    assert sky.shard("abcdefg", node=1, total_nodes=3) == "be"
    assert [sky.shard([1, 2, 3], "xyz", node=np.int64(at), total_nodes=2) for at in range(2)] == [
        ([1, 3], "xz"),
        ([2], "y"),
    ]
    with on_node(2, (0, 2)):
        assert sky.shard("abcd") == "bd"
        assert sky.shard("abcd", node=0) == "ac"
        assert sky.shard("abcd", total_nodes=4) == "b"


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ({"node": 3, "total_nodes": 3}, r"node is 3, and total_nodes is 3: the parts are 0 to 2"),
        ({"node": -1, "total_nodes": 3}, "node is -1"),
        ({"node": 1}, "node is 1, and total_nodes is 1"),
        ({"node": 0, "total_nodes": 0}, "total_nodes is 0"),
        ({"node": "a"}, "node is 'a'; give a whole number"),
        ({"total_nodes": 2.0}, "total_nodes is 2.0; give a whole number"),
        ({"node": True, "total_nodes": 2}, "node is True"),
    ],
)
def test_parts_that_there_are_not(how: dict[str, Any], words: str) -> None:
    with pytest.raises(sky.UsageError, match=words):
        sky.shard("abc", **how)


def test_outside_a_pool_everything_is_ours() -> None:
    assert sky.shard([1, 2, 3]) == [1, 2, 3]
    assert sky.shard(range(4), "abcd") == (range(4), "abcd")


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: (), "at least one"),
        (lambda: ([1], [1, 2]), r"different lengths \(1, 2\)"),
        (lambda: ("abc", [1, 2, 3], "ab"), r"different lengths \(2, 3\), and none is as long as the one of 2"),
        (lambda: ({1, 2},), "set cannot be sharded"),
        (lambda: ({"a": 1},), "dict cannot be sharded"),
    ],
)
def test_what_cannot_be_sharded(make: Callable[[], tuple[Any, ...]], words: str) -> None:
    with pytest.raises(sky.UsageError, match=words):
        sky.shard(*make())


@pytest.mark.parametrize("thing", [5, None, iter([1, 2]), (n for n in "ab")], ids=lambda it: type(it).__name__)
def test_what_has_no_length(thing: Any) -> None:
    with pytest.raises(sky.UsageError, match="cannot be sharded"):
        sky.shard(thing)


def test_arrays_of_the_standard_library() -> None:
    found = parts(array.array("i", range(5)), shuffle=True)
    assert [(part.typecode, len(part)) for part in found] == [("i", 2), ("i", 2), ("i", 1)]
    assert sorted(itertools.chain(*found)) == list(range(5))
