"""Node numbers in and out."""

from __future__ import annotations

import pytest

from skyward_jupyter.errors import UnknownNode, UsageError
from skyward_jupyter.notebook.ranks import ALL, Selection, compact, label, parse, selected, spoken


@pytest.mark.parametrize(
    ("text", "ranks", "single"), [("0", (0,), True), ("3,1", (1, 3), False), ("0,2,4-6", (0, 2, 4, 5, 6), False)]
)
def test_numbers(text: str, ranks: tuple[int, ...], single: bool) -> None:
    assert parse(text) == Selection("ranks", ranks, single)


def test_words() -> None:
    assert parse("all") == ALL
    assert parse("head") == Selection("head", single=True)
    assert parse("any") == Selection("any", single=True)


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("x", "'x'"),
        ("1,", "''"),
        ("1-", "'1-'"),
        ("--1", "'--1'"),
        ("0-", "'0-'"),
        ("a:b", "'a:b'"),
        ("::0", "step of 0"),
        ("3-1", "1-3"),
    ],
)
def test_what_is_no_selection_is_named(text: str, part: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse(text)
    assert part in str(caught.value)


def test_a_node_that_the_pool_lacks_is_named() -> None:
    assert selected(parse("0-3"), range(4)) == [0, 1, 2, 3]
    with pytest.raises(UnknownNode, match="no node 4: this pool has 4") as caught:
        selected(parse("2-4"), range(4))
    assert caught.value.node == 4
    with pytest.raises(UnknownNode, match="no node -5: this pool has 4"):
        selected(parse("-5"), range(4))


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("-1", [7]),
        ("-2,0", [0, 6]),
        ("1::2", [1, 3, 5, 7]),
        ("::2", [0, 2, 4, 6]),
        (":3", [0, 1, 2]),
        ("1:3", [1, 2]),
        ("-2:", [6, 7]),
        (":-6", [0, 1]),
        ("::-3", [1, 4, 7]),
        (":", list(range(8))),
        ("6:100", [6, 7]),
        ("1::4,0,2-3", [0, 1, 2, 3, 5]),
    ],
)
def test_places_are_those_of_a_list(text: str, found: list[int]) -> None:
    assert selected(parse(text), range(8)) == found
    assert parse(text).single == (text == "-1")


def test_the_last_node_is_the_last_that_is_there() -> None:
    assert selected(parse("-1"), [0, 1, 5]) == [5]


def test_a_slice_without_nodes_says_so() -> None:
    with pytest.raises(UsageError, match="5: has none of the nodes, which are 0-3; nothing was run"):
        selected(parse("5:"), range(4))
    with pytest.raises(UsageError, match="2:1:1 has none of the nodes"):
        selected(parse("2:1:1"), range(4))


@pytest.mark.parametrize(
    ("ranks", "text"), [([], ""), ([3], "3"), ([0, 1], "0-1"), ([5, 0, 1, 2], "0-2,5"), ([1, 1, 3], "1,3")]
)
def test_runs_are_joined(ranks: list[int], text: str) -> None:
    assert compact(ranks) == text


def test_labels_and_sentences() -> None:
    assert label([2, 0, 1, 5]) == "[0-2,5]"
    assert spoken([3]) == "node 3"
    assert spoken([0, 1, 3]) == "nodes 0-1,3"
