"""Which form a pool gets: asked for, in the environment, or by what the streams are."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from skyward_jupyter.errors import UsageError
from skyward_jupyter.terminal.mode import Mode, checked, terminal


@pytest.fixture
def tty() -> Iterator[io.TextIOWrapper]:
    """A stream that is a terminal."""
    ours, theirs = os.openpty()
    with open(theirs, "w", encoding="utf-8") as stream:
        yield stream
    os.close(ours)


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    for name in ("SKYWARD_PANEL", "JPY_PARENT_PID"):
        monkeypatch.delenv(name, raising=False)


def test_the_environment_stands_in_for_auto(monkeypatch: pytest.MonkeyPatch) -> None:
    assert checked("auto") == "auto"
    monkeypatch.setenv("SKYWARD_PANEL", "off")
    assert checked("auto") == "off"
    assert checked("lines") == "lines"


def test_what_is_no_mode_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match="panel is 'on'; choose one of auto, live, lines, off"):
        checked("on")
    monkeypatch.setenv("SKYWARD_PANEL", "yes")
    with pytest.raises(UsageError, match="SKYWARD_PANEL is 'yes'"):
        checked("auto")


@pytest.mark.parametrize("mode", ["auto", "live"])
def test_a_terminal_is_drawn_on(mode: Mode, tty: io.TextIOWrapper, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", tty)
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    assert terminal(mode) is tty
    monkeypatch.setattr(sys, "stderr", tty)
    monkeypatch.setattr(sys, "stdout", None)
    assert terminal(mode) is tty


@pytest.mark.parametrize("mode", ["lines", "off"])
def test_only_when_wanted(mode: Mode, tty: io.TextIOWrapper, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", tty)
    assert terminal(mode) is None


@pytest.mark.parametrize(("name", "value"), [("TERM", "dumb"), ("TERM", ""), ("JPY_PARENT_PID", "1")])
def test_not_where_nobody_moves_a_cursor(
    name: str, value: str, tty: io.TextIOWrapper, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdout", tty)
    monkeypatch.setattr(sys, "stderr", tty)
    monkeypatch.setenv(name, value)
    assert terminal("auto") is None


def test_not_beside_a_program_that_gets_the_output(tty: io.TextIOWrapper, monkeypatch: pytest.MonkeyPatch) -> None:
    there, here = os.pipe()
    with open(here, "w", encoding="utf-8") as pipe, open(there, encoding="utf-8"):
        monkeypatch.setattr(sys, "stdout", pipe)
        monkeypatch.setattr(sys, "stderr", tty)
        assert terminal("auto") is None
        assert terminal("live") is tty


def test_no_terminal_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    monkeypatch.setattr(sys, "stderr", None)
    assert terminal("live") is None


def test_rich_is_loaded_only_to_draw() -> None:
    code = (
        "import sys, skyward_jupyter.api.pool, skyward_jupyter.terminal.views\n"
        "print([name for name in ('rich', 'IPython', 'anywidget') if name in sys.modules])"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout == "[]\n"
