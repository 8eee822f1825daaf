"""Which part of a value cannot travel."""

from __future__ import annotations

import functools
import threading
from collections import deque
from dataclasses import dataclass
from typing import Any

import pytest

from skyward_jupyter.wire.blame import explain

LOCKS = (threading.Lock(),)  # not an attribute itself: what is one goes by name


class Model:
    def __init__(self, **parts: Any) -> None:
        self.__dict__.update(parts)

    def forward(self) -> object:
        return self


@dataclass(slots=True)
class Slotted:
    a: object
    b: object


def _closure() -> Any:
    inner = {"deep": LOCKS[0]}

    def uses_closure() -> object:
        return inner

    return uses_closure


#: What a notebook has; a function of a module goes by its name, whatever it uses.
_notebook: dict[str, Any] = {"__name__": "__main__", "LOCK": LOCKS[0]}
exec("def uses_lock(): return LOCK\ndef default(lock=LOCK): return lock", _notebook)
uses_lock, default = _notebook["uses_lock"], _notebook["default"]


@pytest.mark.parametrize(
    ("value", "path"),
    [
        (LOCKS[0], "x"),
        ({"a": [1, LOCKS[0]]}, "x['a'][1]"),
        ({1: {(2, 3): LOCKS[0]}}, "x[1][(2, 3)]"),
        ((0, (1, LOCKS[0])), "x[1][1]"),
        (Model(callbacks=[1, 2, Model(lock=LOCKS[0])]), "x.callbacks[2].lock"),
        (Model(inner=LOCKS[0]).forward, "x.__self__.inner"),
        (uses_lock, "LOCK (used by x)"),
        (_closure(), "inner (used by x)['deep']"),
        (default, "lock (default of x)"),
        ([[]] * 5 + [Model(function=uses_lock)], "LOCK (used by x[5].function)"),
        (functools.partial(print, 1, LOCKS[0]), "x.args[1]"),
        (Slotted(1, [LOCKS[0]]), "x.b[0]"),
        (deque([1, LOCKS[0]]), "x[1]"),
    ],
    ids=[
        "itself",
        "dict, list",
        "keys",
        "tuples",
        "attributes",
        "method",
        "global",
        "closure",
        "default",
        "mixed",
        "partial",
        "slots",
        "deque",
    ],
)
def test_the_path_leads_to_the_part(value: object, path: str) -> None:
    error = explain("x", value)
    assert error.path == path
    assert error.kind == "_thread.lock"
    assert "pickle" in error.reason
    assert str(error).startswith(f"{path} (a _thread.lock) cannot be sent to a node: ")


def test_what_a_class_of_the_notebook_holds() -> None:
    made: Any = {"__name__": "__main__", "LOCK": LOCKS[0]}
    exec("class Net:\n    shared = LOCK\nnet = Net()", made)
    assert explain("net", made["net"]).path == "Net.shared"


def test_values_that_contain_themselves_end() -> None:
    ring: list[Any] = [LOCKS[0]]
    ring.insert(0, ring)
    assert explain("ring", ring).path == "ring[1]"


def test_too_deep_is_said() -> None:
    nest: list[Any] = []
    for _ in range(100_000):
        nest = [nest]
    error = explain("nest", nest)
    assert "nested too deeply" in error.reason
    assert error.path == "nest"


def test_a_part_that_refuses_in_its_own_words() -> None:
    class Secret:
        def __reduce__(self) -> str:
            raise RuntimeError("not for you")

    error = explain("keys", {"main": Secret()})
    assert error.path == "keys['main']"
    assert error.reason == "not for you"
    assert error.kind.endswith("Secret")


def test_what_can_travel_after_all() -> None:
    assert explain("x", [1, 2]).reason == "pickling it failed"
