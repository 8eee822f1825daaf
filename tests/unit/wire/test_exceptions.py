"""Exceptions as bytes and back: of any make, with what is behind them and, of groups, with every part."""

from __future__ import annotations

import threading
import traceback
from dataclasses import dataclass
from typing import Any

import pytest

from skyward_jupyter.agent.failure import describe, rebuild
from skyward_jupyter.errors import RemoteError
from skyward_jupyter.wire.codec import loads
from skyward_jupyter.wire.exceptions import portable


class Own(Exception):
    """Wants other arguments than it hands on, and has an attribute of its own."""

    def __init__(self, code: int, *, hint: str = "") -> None:
        self.code = code
        self.hint = hint
        super().__init__(f"code {code}")


class Made(Exception):
    def __new__(cls, *, kind: str) -> Made:
        made = super().__new__(cls, f"made of {kind}")
        made.kind = kind
        return made

    def __init__(self, *, kind: str) -> None:
        Exception.__init__(self, f"made of {kind}")

    kind: str


class Missing(FileNotFoundError):
    def __init__(self, path: str) -> None:
        super().__init__(2, "nothing there", path)
        self.path = path


class Undecoded(UnicodeDecodeError):
    def __init__(self, data: bytes) -> None:
        super().__init__("utf-8", data, 0, 1, "odd")


class Slotted(Exception):
    __slots__ = ("deep", "found")

    def __init__(self, found: int) -> None:
        super().__init__(found)
        self.found = found


@dataclass(slots=True, frozen=True, kw_only=True)
class Parts(Exception):
    a: int
    b: str = "b"


class Holds(Exception):
    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.lock = threading.Lock()


class Several(ExceptionGroup[Exception]):
    """A group with a constructor of its own, as the language reference has it."""

    def __new__(cls, parts: list[Exception], code: int) -> Several:
        made: Several = super().__new__(cls, f"exit code {code}", parts)
        made.code = code
        return made

    code: int

    def derive(self, parts: Any) -> Any:
        return Several(parts, self.code)


class Locked(ExceptionGroup[Exception]):
    lock: object


def back(error: BaseException) -> Any:
    data = portable(error)
    assert data is not None
    return loads(data)


def test_exceptions_with_a_constructor_of_their_own() -> None:
    own = back(Own(3, hint="h"))
    assert (type(own), str(own), own.code, own.hint) == (Own, "code 3", 3, "h")
    made = back(Made(kind="wood"))
    assert (type(made), str(made), made.kind) == (Made, "made of wood", "wood")
    missing = back(Missing("a.txt"))
    assert (str(missing), missing.errno, missing.filename, missing.path) == (
        "[Errno 2] nothing there: 'a.txt'",
        2,
        "a.txt",
        "a.txt",
    )
    assert back(Undecoded(b"\xff")).object == b"\xff"


def test_attributes_in_slots() -> None:
    slotted = back(Slotted(3))
    assert (slotted.found, slotted.args, hasattr(slotted, "deep")) == (3, (3,), False)
    parts = back(Parts(a=1, b="c"))
    assert (parts.a, parts.b) == (1, "c")


def test_what_python_adds_to_an_error_comes_along() -> None:
    with pytest.raises(ImportError) as caught:
        import nowhere_to_be_found  # type: ignore[import-not-found]  # noqa: F401
    assert back(caught.value).name == "nowhere_to_be_found"


def nested() -> ExceptionGroup[Exception]:
    inner = ExceptionGroup("inner", [Own(1), Holds("held"), KeyError("k")])
    return ExceptionGroup("outer", [ValueError("v"), inner, Holds("too")])


def test_a_group_keeps_every_part() -> None:
    group = back(nested())
    value, inner, too = group.exceptions
    own, held, key = inner.exceptions
    assert (type(value), type(own), own.code, type(key)) == (ValueError, Own, 1, KeyError)
    assert [str(part) for part in (held, too)] == ["Holds: held", "Holds: too"]
    assert (group.message, inner.message) == ("outer", "inner")


def test_except_star_takes_the_parts_of_a_group() -> None:
    taken: list[str] = []
    try:
        raise back(nested())
    except* Own as own:
        taken += [str(part) for part in own.exceptions]
    except* (ValueError, KeyError) as known:
        taken += [type(part).__name__ for part in known.exceptions]
    except* RemoteError as others:
        taken += [type(part).__name__ for part in others.exceptions]
    assert taken == ["inner (1 sub-exception)", "ValueError", "ExceptionGroup", "ExceptionGroup", "RemoteError"]


def test_a_group_of_a_class_of_its_own() -> None:
    group = back(Several([ValueError(1), Holds("held")], 4))
    assert (type(group), group.message, group.code) == (Several, "exit code 4", 4)
    assert type(group.split(ValueError)[0]) is Several


def test_a_group_that_cannot_travel_itself_keeps_its_parts() -> None:
    locked = Locked("locked", [ValueError(1), Own(2)])
    locked.lock = threading.Lock()
    locked.add_note("noted")
    group = back(locked)
    assert (type(group), group.message, group.__notes__) == (ExceptionGroup, "locked", ["noted"])
    assert [type(part) for part in group.exceptions] == [ValueError, Own]


def test_a_group_with_what_is_no_error_of_a_call() -> None:
    group = back(BaseExceptionGroup("mixed", [ValueError(1), BaseExceptionGroup("in", [KeyError(2), SystemExit(3)])]))
    assert isinstance(group, ExceptionGroup)
    inner = group.exceptions[1]
    assert [type(part) for part in inner.exceptions] == [KeyError, RemoteError]
    assert str(inner.exceptions[1]) == "SystemExit: 3"


def test_parts_keep_notes_and_what_is_behind_them() -> None:
    part = Own(1)
    part.add_note("a hint")
    part.__cause__ = Holds("held")
    part.__cause__.__cause__ = KeyError("first")
    (own,) = back(ExceptionGroup("g", [part])).exceptions
    assert own.__notes__ == ["a hint"]
    assert (type(own.__cause__), type(own.__cause__.__cause__)) == (RemoteError, KeyError)


def test_a_group_behind_an_error_keeps_its_parts() -> None:
    error = RuntimeError("outer")
    error.__cause__ = nested()
    assert len(back(error).__cause__.exceptions) == 3


def test_a_group_in_a_ring_ends() -> None:
    part = ValueError("in")
    group = ExceptionGroup("g", [part])
    part.__context__ = group
    assert str(back(group).exceptions[0]) == "in"


def test_groups_in_many_groups() -> None:
    group: Exception = Own(1)
    for depth in range(200):
        group = ExceptionGroup(f"{depth}", [group, KeyError(depth)])
    assert len(back(group).exceptions) == 2


def test_parts_have_their_tracebacks() -> None:
    def fails(text: str) -> None:
        raise Own(len(text))

    parts: list[Exception] = []
    for text in ("a", "bb"):
        try:
            fails(text)
        except Own as error:
            parts.append(error)
    try:
        raise ExceptionGroup("g", parts)
    except ExceptionGroup as group:
        here = rebuild(describe(group), 2)
    assert isinstance(here, ExceptionGroup)
    for part in here.exceptions:
        assert traceback.extract_tb(part.__traceback__)[-1].line == "raise Own(len(text))"
