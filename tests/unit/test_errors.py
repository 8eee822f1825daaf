"""The tree of errors, as documented and as it is."""

from __future__ import annotations

import inspect
import pickle
import re
from typing import Any

import pytest

from skyward_jupyter import errors
from skyward_jupyter.errors import (
    CommandFailed,
    ConnectionLost,
    HostKeyChanged,
    NodeLost,
    NotPicklable,
    SkywardError,
    SlotDied,
    TaskTimeout,
    UnknownNode,
)

CLASSES = {
    name: thing for name, thing in vars(errors).items() if inspect.isclass(thing) and issubclass(thing, BaseException)
}


def drawn() -> dict[str, str]:
    """Each class drawn in the module's docstring, and the one it hangs from."""
    assert errors.__doc__ is not None
    parents: dict[str, str] = {}
    above: list[tuple[int, str]] = []
    for line in errors.__doc__.splitlines():
        found = re.match(r"    ((?:[│ ]   )*(?:[├└]── )?)([A-Z]\w+)", line)
        if found is None:
            continue
        depth, name = len(found[1]), found[2]
        above = [(at, other) for at, other in above if at < depth]
        parents[name] = above[-1][1] if above else ""
        above.append((depth, name))
    return parents


def test_every_error_is_drawn_where_it_is() -> None:
    actual = {name: kind.__bases__[0].__name__ if name != "SkywardError" else "" for name, kind in CLASSES.items()}
    assert drawn() == actual


@pytest.mark.parametrize("kind", CLASSES.values(), ids=CLASSES)
def test_every_error_is_ours_and_documented(kind: type[BaseException]) -> None:
    assert issubclass(kind, SkywardError)
    assert kind.__doc__


@pytest.mark.parametrize(
    ("name", "base"),
    [("UsageError", ValueError), ("NotPicklable", TypeError), ("TaskTimeout", TimeoutError), ("NoPool", ValueError)],
)
def test_some_are_also_what_python_calls_them(name: str, base: type[Exception]) -> None:
    assert issubclass(CLASSES[name], base)


@pytest.mark.parametrize(
    ("error", "facts"),
    [
        (UnknownNode(5, 4), {"node": 5, "size": 4}),
        (NodeLost(2, "signal 9"), {"node": 2, "why": "signal 9"}),
        (NotPicklable("a.b", "lock", "cannot"), {"path": "a.b", "kind": "lock", "reason": "cannot"}),
        (SlotDied("died", 1, signal=9), {"node": 1, "signal": 9, "status": None}),
        (TaskTimeout("late", 3), {"node": 3}),
    ],
)
def test_facts_are_attributes(error: SkywardError, facts: dict[str, Any]) -> None:
    assert {name: getattr(error, name) for name in facts} == facts


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (UnknownNode(5, 4), "there is no node 5: this pool has 4 (0 to 3)"),
        (UnknownNode(1, 1), "there is no node 1: this pool has 1 (only 0)"),
        (NodeLost(2, "signal 9"), "node 2 was lost while the task ran on it (signal 9); "),
        (NotPicklable("a.b", "lock", "cannot"), "a.b (a lock) cannot be sent to a node: cannot; make it on the node"),
    ],
)
def test_messages_say_what_happened_and_what_to_do(error: SkywardError, text: str) -> None:
    assert str(error).startswith(text)


def test_errors_of_machines_travel() -> None:
    for error in (
        HostKeyChanged("me@box", "SHA256:a", "SHA256:b", "look"),
        CommandFailed("me@box", "the installation", 2, ("no space",)),
        ConnectionLost("me@box", "gone"),
    ):
        again = pickle.loads(pickle.dumps(error))
        assert (type(again), str(again), vars(again)) == (type(error), str(error), vars(error))
