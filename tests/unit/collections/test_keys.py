"""Keys as bytes: equal ones give equal bytes, and come back equal."""

from __future__ import annotations

import datetime as dt
import enum
import subprocess
import sys
import uuid
from collections import namedtuple
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from pathlib import PurePosixPath
from typing import Any

import numpy as np
import pytest

from skyward_jupyter.collections.keys import LIMIT, decoded, encoded
from skyward_jupyter.errors import KeyRefused, ValueTooLarge

Place = namedtuple("Place", "x y")


@dataclass(frozen=True)
class Point:
    x: float
    tags: frozenset[str]


@dataclass(frozen=True, slots=True)
class Slotted:
    x: float
    y: object


class Colour(enum.Enum):
    RED = 1


class Level(enum.IntEnum):
    LOW = 1


class Plain:
    pass


NOON = dt.datetime(2026, 1, 1, 12, tzinfo=dt.UTC)

EQUAL = [
    (1, 1.0, True, Decimal(1), Fraction(1), 1 + 0j, np.int64(1), np.float32(1), np.bool_(True), Level.LOW),
    (0.5, Fraction(1, 2), Decimal("0.5"), np.float64(0.5)),
    (0, -0.0, False),
    (float("inf"), Decimal("Infinity")),
    ("ab", "".join(["a", "b"]), np.str_("ab")),
    ((1, ("a", "a")), (True, ("a", "".join(["a"]))), Place(1, ("a", "a"))),
    (frozenset("abc"), frozenset(["c", "b", "a"])),
    (NOON, NOON.astimezone(dt.timezone(dt.timedelta(hours=5)))),
    (Point(1, frozenset("ab")), Point(1.0, frozenset("ba"))),
    (Slotted(1, ("x",)), Slotted(True, ("x",))),
    (range(0), range(3, 3)),
    (range(0, 5, 2), range(0, 6, 2)),
    (PurePosixPath("a/b"), PurePosixPath("a") / "b"),
]


@pytest.mark.parametrize("same", EQUAL)
def test_equal_keys_give_equal_bytes(same: tuple[Any, ...]) -> None:
    assert all(key == same[0] for key in same)
    assert len({encoded(key) for key in same}) == 1
    assert decoded(encoded(same[-1])) == same[0]


@pytest.mark.parametrize(
    "key",
    [
        None,
        ...,
        b"ab",
        "",
        -5,
        10**40,
        0.1,
        1e300,
        1e-300,
        2 + 3j,
        (),
        (None, ()),
        dt.date(2026, 1, 2),
        NOON.replace(tzinfo=None),
        dt.timedelta(days=1, microseconds=3),
        uuid.UUID(int=7),
        Colour.RED,
        int,
        len,
        Point,
    ],
    ids=repr,
)
def test_a_key_comes_back_equal(key: object) -> None:
    assert decoded(encoded(key)) == key


def test_different_keys_differ() -> None:
    keys = [1, "1", b"1", (1,), frozenset([1]), ("tuple", 1), ("frozenset", 1), None, "", (), 0, ("ratio", 1, 2), 0.5]
    assert len({encoded(key) for key in keys}) == len(keys)
    assert [decoded(encoded(key)) for key in keys] == keys


@pytest.mark.parametrize("key", [[], {}, set(), bytearray(), (1, [2]), np.zeros(2)], ids=repr)
def test_what_a_dict_refuses_is_refused_alike(key: object) -> None:
    with pytest.raises(TypeError, match="unhashable type"):
        encoded(key)


@pytest.mark.parametrize(
    ("key", "why"),
    [
        (Plain(), "a value of class Plain is only equal to itself"),
        (float("nan"), "nan is not equal to itself"),
        ((1, float("nan")), "nan is not equal to itself"),
        (lambda: 1, "has no name that other nodes know it by"),
    ],
)
def test_what_could_not_be_found_again_is_refused(key: object, why: str) -> None:
    with pytest.raises(KeyRefused, match=why):
        encoded(key)


def test_too_large_a_key_is_refused() -> None:
    encoded("k" * (LIMIT - 100))
    with pytest.raises(ValueTooLarge, match="this key takes"):
        encoded("k" * LIMIT)


def test_another_process_gives_the_same_bytes() -> None:
    """Hashes of strings differ from process to process, and with them the order of sets."""
    code = (
        "from skyward_jupyter.collections.keys import encoded\n"
        "print(encoded((frozenset('abcdefgh'), frozenset([('a', 1), ('b', 2)]), 'x')).hex())"
    )
    told = {
        subprocess.run(
            [sys.executable, "-c", code], env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(sys.path)},
            capture_output=True, text=True, check=True,
        ).stdout
        for seed in ("1", "2", "3")
    }  # fmt: skip
    assert len(told) == 1


def test_a_class_that_is_not_here_is_named() -> None:
    import pickle

    with pytest.raises(KeyRefused, match="class Gone cannot be read here"):
        decoded(pickle.dumps(("enum", "no_such_module", "Gone", "A"), 5))
