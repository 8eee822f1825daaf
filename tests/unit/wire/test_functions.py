"""When a function need not be pickled again."""

from __future__ import annotations

import json
import math
import types
from collections.abc import Callable
from typing import Any

import pytest

from skyward_jupyter.wire.functions import reads, same


def scope(code: str, **names: Any) -> dict[str, Any]:
    """The globals after `code` ran in them."""
    made = {"__builtins__": __builtins__, **names}
    exec(code, made)
    return made


def unchanged(function: object, change: Callable[[], object]) -> bool:
    """Whether `function` is the same after `change`; False also when that cannot be told."""
    before = reads(function)
    change()
    return before is not None and same(before, reads(function))


def test_nothing_changed() -> None:
    names = scope("def f(x): return x + K * math.pi + len(str(x))", K=3, math=math)
    assert unchanged(names["f"], lambda: None)


@pytest.mark.parametrize("name", ["K", "math", "helper"])
def test_a_global_bound_anew(name: str) -> None:
    names = scope("def helper(): return 1\ndef f(x): return helper() + x + K * math.pi", K=3, math=math)
    assert not unchanged(names["f"], lambda: names.update({name: json if name == "math" else 7}))


def test_a_global_that_comes_or_goes() -> None:
    names = scope("def f(): return A if 'A' in globals() else B", B=1)
    assert not unchanged(names["f"], lambda: names.update(A=2))
    assert not unchanged(names["f"], lambda: names.pop("A"))


def test_one_name_takes_the_place_of_another() -> None:
    names = scope("def f():\n    try: return A\n    except NameError: return B", A=1)
    assert not unchanged(names["f"], lambda: names.update(B=names.pop("A")))


def test_a_global_that_it_does_not_read() -> None:
    names = scope("def f(x): return x")
    assert unchanged(names["f"], lambda: names.update(other=1))


class Text(str):
    """Immutable in name only."""


@pytest.mark.parametrize(
    ("value", "mutate"),
    [
        ([1], lambda value: value.append(2)),
        ({}, lambda value: value.update(a=1)),
        (types.SimpleNamespace(a=1), lambda value: setattr(value, "a", 2)),
        ([].append, lambda value: value(1)),
        (Text("t"), lambda value: setattr(value, "extra", 1)),
        (([],), lambda value: value[0].append(1)),
    ],
    ids=["list", "dict", "object", "bound method", "subclass", "tuple of list"],
)
def test_what_can_change_in_place_is_never_the_same(value: Any, mutate: Callable[[Any], None]) -> None:
    names = scope("def f(): return V", V=value)
    assert not unchanged(names["f"], lambda: mutate(value))


def test_what_a_function_it_calls_reads() -> None:
    names = scope("def g(): return K\ndef f(): return g()", K=1)
    assert unchanged(names["f"], lambda: None)
    assert not unchanged(names["f"], lambda: names.update(K=2))


def test_what_a_function_inside_it_reads() -> None:
    names = scope("def f():\n    def g(): return lambda: K\n    return g()()", K=1)
    assert unchanged(names["f"], lambda: None)
    assert not unchanged(names["f"], lambda: names.update(K=2))


def test_functions_that_call_each_other() -> None:
    names = scope("def even(n): return n == 0 or odd(n - 1)\ndef odd(n): return n != 0 and even(n - 1)")
    assert unchanged(names["even"], lambda: None)
    assert not unchanged(names["even"], lambda: names.update(odd=lambda n: n))


def test_a_closure() -> None:
    count, items = 1, [1]

    def plain() -> int:
        return count

    def mutable() -> list[int]:
        return items

    def add() -> None:
        nonlocal count
        count += 1

    assert unchanged(plain, lambda: None)
    assert not unchanged(plain, add)
    assert not unchanged(mutable, lambda: items.append(2))


def test_an_empty_closure() -> None:
    def outer() -> Callable[[], object]:
        def inner() -> object:
            return later

        if inner is not None:
            return inner
        later = 1
        return inner

    assert reads(outer()) is None


def test_defaults() -> None:
    def plain(a: int = 1, *, b: str = "x") -> None: ...

    def mutable(a: list[int] = []) -> None: ...  # noqa: B006

    assert unchanged(plain, lambda: None)
    assert not unchanged(plain, lambda: setattr(plain, "__defaults__", (2,)))
    assert not unchanged(mutable, lambda: None)


def test_code_that_was_replaced() -> None:
    names = scope("def f(): return 1\ndef g(): return 2")
    assert not unchanged(names["f"], lambda: setattr(names["f"], "__code__", names["g"].__code__))


def test_attributes_of_a_function() -> None:
    names = scope("def f(): return 1")
    assert not unchanged(names["f"], lambda: setattr(names["f"], "rule", 1))


@pytest.mark.parametrize(
    "value", [len, object(), print, Text, types.SimpleNamespace().__init__], ids=lambda it: type(it).__name__
)
def test_other_things_never_raise(value: object) -> None:
    reads(value)
