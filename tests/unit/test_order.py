"""The order in which files of tests are handed out."""

from __future__ import annotations

from tests.order import HERE, LONG, evenly


def test_each_part_has_as_much_of_both_as_the_whole() -> None:
    assert "".join(evenly("abcdef", "123")) == "ab1cd2ef3"
    assert "".join(evenly("ab", "12345")) == "a12b345"


def test_nothing_is_left_out() -> None:
    for one, other in (("", "12"), ("ab", ""), ("", ""), ("abcdefg", "12345"), ("a", "123")):
        given = list(evenly(one, other))
        assert sorted(given) == sorted(one + other)
        assert [it for it in given if it in one] == list(one)


def test_the_long_ones_are_there() -> None:
    assert [name for name in LONG if not (HERE / name).exists()] == []
