"""Values of a notebook as bytes and back: code that keeps its lines, and what cloudpickle alone refuses or changes."""

from __future__ import annotations

import types
from typing import Any

from skyward_jupyter.wire.codec import dumps, loads

CELL = "/tmp/ipykernel_1/3815.py"


def written(source: str, **names: Any) -> dict[str, Any]:
    """The names that a notebook's cell binds."""
    scope: dict[str, Any] = {"__name__": "__main__", **names}
    exec(compile(source, CELL, "exec"), scope)
    return scope


def codes(code: types.CodeType) -> list[types.CodeType]:
    """A function's code with the code inside it."""
    return [code, *(part for const in code.co_consts if isinstance(const, types.CodeType) for part in codes(const))]


def test_code_keeps_the_name_of_its_cell_and_its_lines() -> None:
    source = "def f(x):\n    class A:\n        y = [lambda z: (x, z) for _ in range(2)]\n    return A\n"
    here = written(source)["f"]
    there: Any = loads(dumps(here))
    assert [code.co_filename for code in codes(there.__code__)] == [CELL] * len(codes(here.__code__))
    assert there.__code__ == here.__code__
    assert list(there.__code__.co_positions()) == list(here.__code__.co_positions())


def test_the_methods_of_a_class_keep_the_name_of_their_cell() -> None:
    kind = written("class A:\n    def f(self):\n        return 1\n")["A"]
    code = dumps(kind)
    assert CELL.encode() in code
    assert b"<dynamic-code>" not in code


def test_the_same_function_has_the_same_bytes_there_as_here() -> None:
    here = written("def f(first, second=1):\n    def g(): return first, len\n    return g\n")["f"]
    assert dumps(loads(dumps(here))) == dumps(here)
