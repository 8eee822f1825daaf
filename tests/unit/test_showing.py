"""Which frames of a traceback are shown."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import skyward_jupyter
from skyward_jupyter import showing
from skyward_jupyter.showing import install_in, show_all, trim, without_ours

OURS = f"{skyward_jupyter.__path__[0]}/made_up.py"


def calling(file: str, inner: Callable[[], object]) -> Callable[[], object]:
    """A function of `file` that calls `inner`."""
    space: dict[str, Any] = {"inner": inner}
    exec(compile("def step():\n    inner()\n", file, "exec"), space)
    step: Callable[[], object] = space["step"]
    return step


def through(files: list[str], error: BaseException) -> BaseException:
    """`error`, raised below functions of these files."""

    def raising() -> None:
        raise error

    step: Callable[[], object] = raising
    for file in reversed(files):
        step = calling(file, step)
    try:
        step()
    except BaseException as caught:
        return caught
    raise AssertionError


def files(error: BaseException) -> list[str]:
    shown = [frame.filename for frame in traceback.extract_tb(error.__traceback__)]
    return [file for file in shown if file != __file__]


@pytest.fixture
def everything() -> Iterator[None]:
    show_all(True)
    yield
    show_all(False)


def test_ours_and_what_carried_for_them_are_left_out() -> None:
    import asyncio

    loop = asyncio.__path__[0] + "/base_events.py"
    error = trim(through(["a.py", loop, "b.py", OURS, loop, OURS, "c.py", OURS], LookupError()))
    assert files(error) == ["a.py", loop, "b.py", "c.py"]


def test_a_traceback_of_ours_alone_stays() -> None:
    error = through([OURS, OURS], LookupError())
    tb = error.__traceback__
    while tb is not None and tb.tb_frame.f_code.co_filename == __file__:
        tb = tb.tb_next
    assert tb is not None
    last = tb.tb_next
    assert last is not None
    last.tb_next = None
    assert without_ours(tb) is None
    error.__traceback__ = tb
    assert files(trim(error)) == [OURS, OURS]


def test_what_is_behind_and_inside_is_treated_alike() -> None:
    inner, cause = through(["a.py", OURS], KeyError()), through(["b.py", OURS], ValueError())
    group = ExceptionGroup("g", [inner])  # type: ignore[type-var]
    group.__cause__ = cause
    cause.__context__ = group  # a circle ends
    trim(group)
    assert files(inner) == ["a.py"]
    assert files(cause) == ["b.py"]


def test_a_mistake_of_ours_is_shown_whole() -> None:
    error = through(["a.py", OURS], LookupError())
    assert files(trim(error)) == ["a.py"]
    space: dict[str, Any] = {}
    exec(compile("def step():\n    nothing_of_this_name\n", OURS, "exec"), space)
    with pytest.raises(NameError) as caught:
        calling("a.py", space["step"])()
    assert files(trim(caught.value)) == ["a.py", OURS]


def test_all_is_shown_on_request(everything: None, monkeypatch: pytest.MonkeyPatch) -> None:
    assert files(trim(through(["a.py", OURS], LookupError()))) == ["a.py", OURS]
    show_all(False)
    monkeypatch.setenv("SKYWARD_TRACEBACKS", "full")
    assert files(trim(through(["a.py", OURS], LookupError()))) == ["a.py", OURS]


def test_a_shell_is_left_as_it_was() -> None:
    class Shell:
        def __init__(self) -> None:
            self.shown: list[Any] = []

        def showtraceback(self, exc_tuple: Any = None) -> None:
            self.shown.append(exc_tuple)

    shell = Shell()
    undo = install_in(shell)
    install_in(shell)()
    error = through(["a.py", OURS], LookupError())
    shell.showtraceback((LookupError, error, error.__traceback__))
    assert shell.shown[0][2] is error.__traceback__
    assert files(error) == ["a.py"]
    undo()
    assert "showtraceback" not in vars(shell)


def test_python_is_asked_once() -> None:
    showing.install()
    hook = sys.excepthook
    showing.install()
    assert sys.excepthook is hook
