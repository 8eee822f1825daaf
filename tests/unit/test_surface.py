"""Every object that users get: what ``dir()`` and Tab show of it is what the reference tells of, and nothing else.

The objects are found by themselves: the classes that `skyward` has, what their methods and properties give, and so on.
"""

from __future__ import annotations

import dis
import importlib
import inspect
import re
from collections.abc import Iterable, Iterator
from enum import Enum
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeGuard

import pytest

import skyward as sky
from skyward_jupyter.api.gathering import Gathered

REFERENCE = Path(__file__).parents[2] / "docs" / "reference" / "python.md"
#: How the reference names what it tells of, and what follows it up to the next one.
_ENTRY = re.compile(r"\.\. auto(class|module|function):: (\S+)((?:\n   .*)*)")
#: A name in the text of a docstring, and an attribute or a parameter below it, or several.
_QUOTED = re.compile(r"(?<!`)`(\w+)`(?!`)")
_NAMED = re.compile(r"^(\w+(?:, \w+)*)$")


def visible(value: object) -> set[str]:
    """What Tab offers."""
    return {name for name in dir(value) if not name.startswith("_")}


def ours(value: object) -> TypeGuard[type]:
    """Whether it is a class of the project, and no mere choice of words."""
    return isinstance(value, type) and value.__module__.startswith("skyward_jupyter") and not issubclass(value, Enum)


def named_in(annotations: Iterable[object], module: str) -> Iterator[type]:
    """The classes of the project that annotations in a module name."""
    known = vars(importlib.import_module(module))
    for word in set(re.findall(r"\w+", " ".join(map(str, annotations)))):
        if ours(found := known.get(word)):
            yield found


def given_by(owner: type) -> Iterator[type]:
    """The classes of what its public methods and properties return, and its fields are, as far as they are ours."""
    said = [str(kind) for name, kind in inspect.get_annotations(owner).items() if not name.startswith("_")]
    for name in offered(owner):
        found = inspect.getattr_static(owner, name, None)
        function = found.fget if isinstance(found, property) else getattr(found, "__func__", found)
        if inspect.isfunction(function):
            said.append(str(function.__annotations__.get("return", "")))
    return named_in(said, owner.__module__)


@cache
def public() -> tuple[type, ...]:
    """Every class whose objects users get."""
    left = [value for name in sky.__all__ if ours(value := getattr(sky, name))]
    left += [value for value in vars(sky.events).values() if ours(value)]
    left += [kind for name in sky.__all__ for kind in returned_by(getattr(sky, name))]
    left += [Gathered]  # of errors
    found: list[type] = []
    while left:
        if (kind := left.pop()) not in found and "Protocol" not in {base.__name__ for base in kind.__bases__}:
            found.append(kind)
            left += given_by(kind)
    return tuple(sorted(found, key=lambda kind: (kind.__module__, kind.__qualname__)))


def returned_by(function: object) -> list[type]:
    """The classes of what a function of the module returns."""
    if not inspect.isfunction(function):
        return []
    return list(named_in([function.__annotations__.get("return", "")], function.__module__))


def offered(kind: type) -> set[str]:
    """The names on its objects that do not come from Python itself."""
    names = visible(kind if kind.__dir__ is object.__dir__ else object.__new__(kind))
    bases = [base for base in kind.__mro__ if not ours(base)]
    return (names | bound(kind)) - {name for base in bases for name in vars(base)}


def bound(kind: type) -> set[str]:
    """The attributes that its own methods bind."""
    found: set[str] = set()
    for method in [value for one in filter(ours, kind.__mro__) for value in vars(one).values()]:
        if inspect.isfunction(method):
            for owner, step in pairwise(dis.get_instructions(method)):
                if step.opname == "STORE_ATTR" and owner.argval == "self" and not step.argval.startswith("_"):
                    found.add(step.argval)
    return found


@cache
def told() -> dict[str, set[str] | None]:
    """The members that the reference lists of each class, by its place; None for all that say something."""
    found: dict[str, set[str] | None] = {}
    for _, place, options in _ENTRY.findall(REFERENCE.read_text()):
        _, listed, members = options.partition(":members:")
        names = set(re.findall(r"\w+", members.partition("\n   :")[0]))
        found[place] = names if names or not listed else None
    return found


def documented(kind: type) -> set[str]:
    """What its docstrings and the reference tell of it."""
    names = set()
    for one in filter(ours, kind.__mro__):
        for line in inspect.cleandoc(one.__doc__ or "").splitlines():
            names |= set(named[1].split(", ")) if (named := _NAMED.match(line)) else set()
        names |= set(_QUOTED.findall(one.__doc__ or ""))
    members = next((told()[place] for place in places(kind) if place in told()), set())
    said = {name for name in offered(kind) if inspect.getdoc(inspect.getattr_static(kind, name, None))}
    return names | (said if members is None else members & said)


def places(kind: type) -> list[str]:
    """What the reference may call it."""
    own = [f"skyward.{name}" for name in sky.__all__ if getattr(sky, name) is kind]
    return [*own, f"{kind.__module__}.{kind.__qualname__}", kind.__module__]


def test_the_objects_are_found() -> None:
    names = {kind.__name__ for kind in public()}
    assert names >= {"ComputePool", "NodeView", "NodeRun", "CellRun", "CellLog", "SharedDict", "EventStream", "Counts"}


@pytest.mark.parametrize("kind", public(), ids=lambda kind: kind.__name__)
def test_nothing_is_offered_that_is_not_told(kind: type) -> None:
    assert sorted(offered(kind) - documented(kind)) == []


@pytest.mark.parametrize("kind", public(), ids=lambda kind: kind.__name__)
def test_what_is_told_is_offered(kind: type) -> None:
    members = next((told()[place] for place in places(kind) if place in told()), None) or set()
    assert sorted(members - offered(kind) - visible(kind)) == []


def test_a_module_of_events_has_events_only() -> None:
    found: dict[str, Any] = {name: getattr(sky.events, name) for name in visible(sky.events)}
    assert all(isinstance(value, type) and value.__module__ == sky.events.__name__ for value in found.values())
