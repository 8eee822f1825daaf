"""Exceptions on their way to the kernel."""

from __future__ import annotations

import asyncio
import pickle
import subprocess
import threading
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from skyward_jupyter.agent.failure import Failed, describe, rebuild
from skyward_jupyter.errors import NodeLost, NotPicklable, RemoteError, SlotDied, TaskTimeout, UnknownNode


class Two(Exception):
    def __init__(self, first: int, second: str) -> None:
        self.first, self.second = first, second
        super().__init__(f"{first} and {second}")


class Keyword(Exception):
    def __init__(self, *, code: int) -> None:
        self.code = code
        super().__init__(f"code {code}")


class Counts(Exception):
    """Would have another text each time it is made."""

    def __init__(self, text: str = "x") -> None:
        super().__init__(text + "!")


class Reduced(Exception):
    def __init__(self, a: int, b: int) -> None:
        self.a, self.b = a, b
        super().__init__(a)

    def __reduce__(self) -> Any:
        return Reduced, (self.a, self.b)


@dataclass(frozen=True)
class Frozen(Exception):
    a: int


class Mute(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no words")


class Holds(Exception):
    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.lock = threading.Lock()


class Silent:
    """Is shown by its address."""


def raised(make: Callable[[], BaseException]) -> BaseException:
    try:
        raise make()
    except BaseException as error:
        return error


def arrived(error: BaseException, how: str = "raised") -> BaseException:
    failed = pickle.loads(pickle.dumps(describe(error, how)))
    assert isinstance(failed, Failed)
    return rebuild(failed, 3)


@pytest.mark.parametrize(
    "make",
    [
        lambda: ValueError("x"),
        lambda: KeyError("k"),
        lambda: OSError(2, "No such file", "a.txt"),
        lambda: UnicodeDecodeError("utf-8", b"\xff", 0, 1, "bad"),
        lambda: subprocess.CalledProcessError(2, ["ls"], b"out", b"err"),
        lambda: Reduced(1, 2),
        lambda: Two(1, "b"),
        lambda: Keyword(code=3),
        lambda: Counts("x"),
        lambda: Frozen(4),
        lambda: Mute("x"),
        lambda: NodeLost(1, "gone"),
        lambda: UnknownNode(9, 4),
        lambda: NotPicklable("a.b", "lock", "cannot"),
        lambda: SlotDied("died", 2, signal=11),
        lambda: TaskTimeout("late", 1),
        lambda: ExceptionGroup("several", [ValueError(1), ExceptionGroup("inner", [KeyError("k")])]),
    ],
    ids=lambda make: type(make()).__name__,
)
def test_exceptions_arrive_as_themselves(make: Callable[[], BaseException]) -> None:
    sent = raised(make)
    back = arrived(sent)
    assert type(back) is type(sent)
    assert isinstance(sent, Mute) or str(back) == str(sent)
    own = {name: value for name, value in vars(back).items() if name not in ("__notes__", "remote_traceback")}
    assert own == vars(sent)
    assert back.__notes__ == ["raised on node 3"]


def test_a_text_that_says_where_an_object_is_hinders_nothing() -> None:
    for make in (lambda: LookupError(Silent()), lambda: Two(1, str(Silent())), lambda: OSError(2, "x", Silent())):
        sent = raised(make)  # type: ignore[arg-type]
        back = arrived(sent)
        assert type(back) is type(sent)
        assert list(map(type, back.args)) == list(map(type, sent.args))


def test_what_cannot_be_pickled_arrives_by_name() -> None:
    back = arrived(raised(lambda: Holds("held")))
    assert isinstance(back, RemoteError)
    assert back.type_name == "Holds"
    assert str(back) == "Holds: held"
    assert back.node == 3
    assert "raise make()" in back.remote_traceback  # type: ignore[attr-defined]


def test_a_cause_that_cannot_be_pickled_keeps_its_name() -> None:
    error = ValueError("outer")
    error.__cause__ = raised(lambda: Holds("held"))
    error.__cause__.__cause__ = KeyError("innermost")
    back = arrived(error)
    assert type(back) is ValueError
    assert isinstance(back.__cause__, RemoteError)
    assert str(back.__cause__) == "Holds: held"
    assert isinstance(back.__cause__.__cause__, KeyError)


def test_a_remote_error_can_be_sent_on() -> None:
    error = RemoteError("Odd", "a: b: c", 2)
    back = pickle.loads(pickle.dumps(error))
    assert (str(back), back.type_name, back.node) == (str(error), "Odd", 2)


@pytest.mark.parametrize(
    "make",
    [
        lambda: SystemExit(3),
        lambda: KeyboardInterrupt(),
        lambda: asyncio.CancelledError("c"),
        lambda: GeneratorExit(),
        lambda: StopIteration(1),
        lambda: StopAsyncIteration(),
        lambda: BaseExceptionGroup("g", [KeyboardInterrupt()]),
    ],
    ids=lambda make: type(make()).__name__,
)
def test_what_would_end_more_than_the_call_does_not_arrive_as_itself(make: Callable[[], BaseException]) -> None:
    sent = raised(make)
    back = arrived(sent)
    assert isinstance(back, RemoteError)
    assert back.type_name == type(sent).__qualname__


def _deeper(n: int) -> None:
    if n == 0:
        raise LookupError("at the bottom")
    _deeper(n - 1)


def test_the_traceback_has_the_remote_frames() -> None:
    with pytest.raises(LookupError) as caught:
        _deeper(3)
    back = arrived(caught.value)
    frames = traceback.extract_tb(back.__traceback__)
    assert [frame.name for frame in frames[-4:]] == ["_deeper"] * 4
    assert frames[-1].filename == __file__
    assert frames[-1].line == 'raise LookupError("at the bottom")'
    assert 'raise LookupError("at the bottom")' in "".join(traceback.format_exception(back))
    assert "_deeper(n - 1)" in back.remote_traceback  # type: ignore[attr-defined]


def test_a_very_deep_traceback_keeps_both_ends() -> None:
    with pytest.raises(LookupError) as caught:
        _deeper(600)
    frames = traceback.extract_tb(arrived(caught.value).__traceback__)
    assert len(frames) <= 110
    assert frames[0].name == "test_a_very_deep_traceback_keeps_both_ends"
    assert frames[-1].line == 'raise LookupError("at the bottom")'


def test_a_recursion_error() -> None:
    def forever(n: int) -> int:
        return forever(n + 1) + 1

    with pytest.raises(RecursionError) as caught:
        forever(0)
    back = arrived(caught.value)
    assert type(back) is RecursionError
    assert "[Previous line repeated" in back.remote_traceback  # type: ignore[attr-defined]


def test_causes_and_notes_come_along() -> None:
    try:
        try:
            try:
                raise KeyError("first")
            except KeyError as error:
                raise ValueError("second") from error
        except ValueError as error:
            error.add_note("a hint")
            raise RuntimeError("third") from error
    except RuntimeError as error:
        error.add_note("another")
        back = arrived(error)
    second = back.__cause__
    assert isinstance(second, ValueError)
    assert isinstance(second.__cause__, KeyError)
    assert second.__notes__ == ["a hint"]
    assert back.__notes__ == ["another", "raised on node 3"]
    assert all(error.__traceback__ is not None for error in (back, second, second.__cause__))


def test_what_was_being_handled_comes_along() -> None:
    try:
        try:
            raise KeyError("first")
        except KeyError:
            raise ValueError("second")  # noqa: B904
    except ValueError as error:
        back = arrived(error)
    assert back.__cause__ is None
    assert isinstance(back.__context__, KeyError)
    assert "During handling of the above exception" in "".join(traceback.format_exception(back))


def test_what_is_not_to_be_shown_does_not() -> None:
    try:
        try:
            raise KeyError("first")
        except KeyError:
            raise ValueError("second") from None
    except ValueError as error:
        back = arrived(error)
    assert back.__context__ is None


def test_a_ring_of_causes_ends() -> None:
    first, second = ValueError("a"), ValueError("b")
    first.__cause__, second.__cause__ = second, first
    assert str(arrived(first)) == "a"


def test_an_exception_that_was_never_raised() -> None:
    back = arrived(ValueError("not raised"))
    assert back.__traceback__ is None
    assert "not raised" in back.remote_traceback  # type: ignore[attr-defined]


def test_describing_never_raises(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> str:
        raise RuntimeError("broken")

    monkeypatch.setattr(traceback, "format_exception", broken)
    failed = describe(ValueError("kept"))
    assert (failed.type_name, failed.text) == ("ValueError", "kept")
    assert str(rebuild(failed, 0)) == "ValueError: kept"
