"""Calls and values as short text, whatever they are."""

from __future__ import annotations

import collections
import functools
import threading
import time
from typing import Any

import pytest

from skyward_jupyter.wire import called as module
from skyward_jupyter.wire.called import CALL, VALUE, called, shown


def f(x: Any, y: Any = None, z: Any = None, **more: Any) -> None: ...


def login(user: str, password: str, **more: Any) -> None: ...


class Raises:
    def __repr__(self) -> str:
        raise RuntimeError


class Named:
    def __repr__(self) -> str:
        return "Named" * 1000


class Bare:
    pass


Point = collections.namedtuple("Point", "x y")


@pytest.mark.parametrize(
    ("args", "kwargs", "text"),
    [
        ((3,), {}, "f(3)"),
        (([1, (2,), {"a": None}],), {"k": 1.5}, "f([1, (2,), {'a': None}], k=1.5)"),
        (({1}, set(), frozenset([2])), {}, "f({1}, set(), frozenset({2}))"),
        ((Point(1, 2), collections.deque([1])), {}, "f(Point(x=1, y=2), deque([1]))"),
        ((f, Bare, Bare()), {}, "f(f, Bare, <Bare>)"),
        ((10**1000,), {}, "f(<int of 3322 bits>)"),
        ((Raises(),), {}, "f(<Raises, whose repr raises RuntimeError>)"),
    ],
)
def test_calls(args: tuple[Any, ...], kwargs: dict[str, Any], text: str) -> None:
    assert called(f, args, kwargs) == text


def test_secrets_are_hidden() -> None:
    more: dict[str, Any] = {"api_key": "k", "n": {"token": 5}, "max_tokens": 7}
    text = "login('me', <hidden>, api_key=<hidden>, n={'token': <hidden>}, max_tokens=7)"
    assert called(login, ("me", "hunter2"), more) == text


def test_other_callables_have_names_too() -> None:
    assert called(functools.partial(f, 1), (2,), {}) == "f(2)"
    assert called(abs, (-1,), {}) == "abs(-1)"
    assert called(lambda x: x, (1,), {}) == "<lambda>(1)"


@pytest.mark.parametrize(
    "value", ["a" * 10**6, list(range(10**6)), dict.fromkeys(range(10**6)), Named(), [Named()], b"x" * 10**6]
)
def test_a_text_is_bounded(value: object) -> None:
    assert len(called(f, (value,), {})) <= CALL
    assert len(called(f, (value,) * 50, {"key": value})) <= CALL
    (text,) = shown([(value, VALUE)])
    assert len(text) == VALUE
    assert text.endswith("...")


def test_what_contains_itself_ends() -> None:
    loop: list[Any] = []
    loop.append(loop)
    assert called(f, (loop,), {}) == "f([[[[[...]]]]])"


def test_an_array_is_its_shape() -> None:
    numpy = pytest.importorskip("numpy")
    assert called(f, (numpy.zeros((10, 3)),), {}) == "f(<ndarray of shape (10, 3), float64>)"


def test_a_repr_that_blocks_is_waited_for_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PATIENCE", 0.2)
    end = threading.Event()

    class Blocks:
        def __repr__(self) -> str:
            end.wait(60)
            return ""

    try:
        started = time.monotonic()
        assert called(f, (1, Blocks(), Bare()), {}) == "f(1, <Blocks>, <Bare>)"
        assert called(f, (Blocks(), [Blocks()]), {}) == "f(<Blocks>, [<Blocks>])"
        assert time.monotonic() - started < 30
        assert sum(thread.name == "skyward-texts" for thread in threading.enumerate()) <= 2  # one blocks, one is kept
    finally:
        end.set()
