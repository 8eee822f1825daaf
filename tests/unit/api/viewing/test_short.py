"""Keys and values in a line, and in an order."""

from __future__ import annotations

import collections
import datetime as dt
import random
import sys
import types
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest

from skyward_jupyter.api.viewing.short import DECODED, SHOWN, of, of_key, of_value
from skyward_jupyter.collections import keys, values

MIXED: list[Any] = [
    *(None, False, 1, 1.5, Fraction(7, 4), Decimal("1.9"), 2, float("inf"), "", "a", "b", b"", b"a"),
    *(dt.date(2020, 1, 1), dt.datetime(2021, 1, 1, tzinfo=dt.UTC), (), (1, "a"), (1, "b"), ("a",), [("b", 2)]),
]


def shown(value: object) -> Any:
    return of_value(values.encoded(value, "it"))


def test_mixed_values_have_an_order() -> None:
    shuffled = random.Random(3).sample(MIXED, len(MIXED))
    assert sorted(shuffled, key=lambda value: of(value).order) == MIXED


def test_what_python_cannot_compare_is_in_the_order_of_its_text() -> None:
    odd = [{"b": 1}, {"a": 1}, object, float("nan"), {1, 2}, 3 + 4j, [object()], [{"a"}], [None, {}]]
    assert sorted(of(value).order for value in [*MIXED, *odd])


def test_text_is_one_short_line() -> None:
    for value in ("x" * 10_000, "a\nb\n" * 500, list(range(100_000)), dict.fromkeys(range(99), "y" * 500), 10**3000):
        short = of(value)
        assert len(short.text) <= SHOWN
        assert "\n" not in short.text
    assert shown({"b": {"c": []}, "a": {}}).text == "{'b': {'c': []}, 'a': {}}"
    assert shown(dict.fromkeys(range(9), 0)).text == "{0: 0, 1: 0, 2: 0, 3: 0, 4: 0, 5: 0, ...}"
    assert (shown([1, 2]).text, shown([1, 2]).type) == ("[1, 2]", "list")


def test_what_is_large_is_not_decoded() -> None:
    short = shown(b"x" * (DECODED + 1))
    assert short.odd
    assert short.text == "256 kB, too large to be shown"


def test_what_cannot_be_decoded_is_said() -> None:
    assert of_value(b"no pickle").text.startswith("cannot be decoded here (UnpicklingError")
    assert of_value(b"no pickle").odd
    assert of_key(b"no pickle").odd


def test_nothing_is_imported_to_show_a_value(monkeypatch: pytest.MonkeyPatch) -> None:
    module = types.ModuleType("slow_to_import")
    exec("class Tensor: pass", module.__dict__)
    monkeypatch.setitem(sys.modules, "slow_to_import", module)
    data = values.encoded([module.Tensor()], "it")
    monkeypatch.delitem(sys.modules, "slow_to_import")
    assert of_value(data).text == "[Tensor()]"
    assert "slow_to_import" not in sys.modules


def test_keys_are_shown_as_they_are_read_back() -> None:
    point = collections.namedtuple("point", "x y")
    for key, text in ((True, "1"), ("a", "'a'"), ((1, "b"), "(1, 'b')"), (point(1, 2), "(1, 2)")):
        assert of_key(keys.encoded(key)).text == text
