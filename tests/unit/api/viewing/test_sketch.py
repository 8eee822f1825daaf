"""Values of collections as a view reads them: what they are, and no code of theirs."""

from __future__ import annotations

import collections
import datetime as dt
import enum
import os
import pathlib
import pickle
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest

from skyward_jupyter.api.viewing.short import of_key, of_value
from skyward_jupyter.api.viewing.sketch import loaded, loaded_key
from skyward_jupyter.collections import keys, values

PLAIN: list[Any] = [
    *(1, 1.5, 2j, True, None, "é", b"b", bytearray(b"a"), (1, (2,)), [1, {"a": {3}}], frozenset({1}), range(3)),
    *(slice(1, 2), Decimal("1.5"), Fraction(1, 3), dt.date(2020, 1, 1), dt.timedelta(3), dt.time(12)),
    *(dt.datetime(2020, 1, 1, tzinfo=dt.UTC), dt.datetime(2020, 1, 1, tzinfo=ZoneInfo("UTC")), pathlib.Path("/a/b")),
    *(collections.Counter("aab"), collections.OrderedDict(a=1), collections.deque([1, 2], 3)),
]


@pytest.mark.parametrize("value", PLAIN, ids=repr)
def test_plain_values_come_back(value: Any) -> None:
    back = loaded(values.encoded(value, "it"))
    assert back == value
    assert type(back) is type(value)


class Colour(enum.Enum):
    RED = 1


@dataclass
class Point:
    x: int
    y: str = "a"


@dataclass(frozen=True, slots=True)
class Slotted:
    x: int
    y: str


class Items(list[int]):
    pass


UUID = uuid.UUID(int=5)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Point(1), "Point(x=1, y='a')"),
        (Slotted(1, "b"), "Slotted(1, 'b')"),
        (Items([1, 2]), "Items(1, 2)"),
        (Colour.RED, "Colour(1)"),
        (ValueError("no"), "ValueError('no')"),
        (UUID, f"UUID('{UUID}')"),
        (np.float64(0.5), "0.5"),
        (np.int32(-4), "-4"),
        (np.bool_(True), "True"),
        (np.arange(6), "numpy.ndarray"),
        (pd.DataFrame({"a": [1]}), "pandas.DataFrame"),
        (lambda: 1, "a function"),
        ([Point(1)], "[Point(x=1, y='a')]"),
        (collections.defaultdict(list, {"a": [1]}), "{'a': [1]}"),
        (Decimal("1e999999999"), "Decimal('1E+999999999')"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_objects_are_shown_by_what_they_are_made_of(value: object, text: str) -> None:
    short = of_value(values.encoded(value, "it"))
    assert (short.text, short.odd) == (text, False)


def test_keys_are_shown_as_well() -> None:
    for key, text in (
        (Colour.RED, "Colour.RED"),
        (Slotted(1, "b"), "Slotted(1, 'b')"),
        (UUID, f"UUID('{UUID}')"),
        (dt.date(2020, 1, 1), "datetime.date(2020, 1, 1)"),
        ((1, "a"), "(1, 'a')"),
        (Fraction(1, 3), "Fraction(1, 3)"),
    ):
        assert of_key(keys.encoded(key)).text == text


class Runs:
    """A value that has a command run when it is loaded."""

    def __init__(self, make: Callable[..., Any], *args: object) -> None:
        self._made = make, args

    def __reduce__(self) -> tuple[Any, ...]:
        return self._made


def pickles(mark: pathlib.Path) -> Iterator[bytes]:
    """What runs code where it is unpickled, in all ways that there are."""
    command = f"touch {mark}"
    yield pickle.dumps(Runs(os.system, command))
    yield pickle.dumps(Runs(eval, f"__import__('os').system({command!r})"))
    yield pickle.dumps({"deep": [Runs(os.system, command)]})
    yield f"cos\nsystem\n(V{command}\ntR.".encode()
    yield f"(V{command}\nios\nsystem\n.".encode()
    yield f"cbuiltins\neval\n(V__import__('os').system({command!r})\ntR.".encode()
    yield f"cskyward_jupyter.wire.codec\nloads\n(cos\nsystem\n(V{command}\ntRtR.".encode()


@pytest.mark.parametrize("number", range(7))
def test_no_code_of_a_value_runs(number: int, tmp_path: pathlib.Path) -> None:
    mark = tmp_path / "ran"
    data = list(pickles(mark))[number]
    of_value(data)
    of_key(data)
    assert not mark.exists()


def test_no_code_of_a_key_runs(tmp_path: pathlib.Path) -> None:
    mark = tmp_path / "ran"
    for make in (("global", "os", "system"), ("class", "builtins", "eval"), ("global", "subprocess", "getoutput")):
        short = of_key(pickle.dumps(("object", make, (f"touch {mark}",), None), 5))
        assert f"touch {mark}" in short.text
    assert not mark.exists()
    with pytest.raises(pickle.UnpicklingError):
        keys.decoded(pickle.dumps(Runs(os.system, f"touch {mark}")))
    assert not mark.exists()


def test_nothing_is_imported_for_it() -> None:
    assert "antigravity" not in sys.modules
    of_value(b"cantigravity\nfly\n)R.")
    of_key(pickle.dumps(("global", "antigravity", "fly"), 5))
    assert "antigravity" not in sys.modules


def test_what_is_made_for_it_stays_as_it_is() -> None:
    """Bytes that set attributes of what they name change nothing that is used here."""
    for name in ("cfractions\nFraction\n", "ccollections\nCounter\n", "cuuid\nUUID\n", "cother\nThing\n"):
        assert of_value(f"{name}(N(V__repr__\nV1\ndtb.".encode()).odd
    assert loaded(values.encoded(Fraction(1, 3), "it")) == Fraction(1, 3)
    assert repr(Fraction(1, 3)) == "Fraction(1, 3)"


def test_what_would_take_for_ever_is_refused() -> None:
    began = time.monotonic()
    for name in ("collections\nCounter", "collections\ndeque", "builtins\nset", "builtins\nfrozenset"):
        assert of_value(f"c{name}\n(cbuiltins\nrange\n(I999999999999\ntRtR.".encode()).odd
    assert of_value(b"cfractions\nFraction\n(V1e999999999\ntR.").odd
    assert time.monotonic() - began < 5


def test_a_key_with_odd_parts_is_said() -> None:
    assert loaded_key(keys.encoded((1, "a"))) == (1, "a")
    for term in (("ratio", 1, 0), ("instant", "never"), ("object", "a", (), None), ("enum", 1, 2, 3)):
        assert of_key(pickle.dumps(term, 5)).text
