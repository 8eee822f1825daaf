"""The lines below the cursor, on a real pty: what a terminal shows of them and of what is written meanwhile."""

from __future__ import annotations

import io
import os
import sys
import threading
from collections.abc import Iterator

import pytest

from skyward_jupyter.terminal import region as module
from skyward_jupyter.terminal.region import Region
from tests.unit.terminal.screen import COLUMNS, ROWS, Terminal


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[Terminal]:
    made = Terminal()
    monkeypatch.setattr(module, "GAP", 0.0)
    yield made
    made.close()


@pytest.fixture
def region(terminal: Terminal) -> Iterator[Region]:
    made = Region(terminal.stream)
    yield made
    made.close()


def test_lines_stand_below_the_cursor_and_go_without_a_trace(terminal: Terminal, region: Region) -> None:
    terminal.print("one")
    region.paint(["first", "second"])
    assert terminal.lines == ["one", "", "first", "second"]
    region.paint(["other"])
    assert terminal.lines == ["one", "", "other"]
    region.close()
    assert terminal.lines == ["one"]
    terminal.print("two")
    assert terminal.lines == ["one", "two"]


def test_output_goes_above(terminal: Terminal, region: Region) -> None:
    region.paint(["first", "second"])
    for number in range(20):
        terminal.print("line", number)
    assert terminal.lines == ["line 15", "line 16", "line 17", "line 18", "line 19", "", "first", "second"]
    region.close()
    assert terminal.lines == ["line 15", "line 16", "line 17", "line 18", "line 19"]


def test_an_unfinished_line_goes_on_where_it_was(terminal: Terminal, region: Region) -> None:
    terminal.print("loading ", end="")
    region.paint(["first"])
    assert terminal.lines == ["loading", "first"]
    terminal.print("...", end="")
    assert terminal.lines == ["loading ...", "first"]
    region.close()
    terminal.print(" done")
    assert terminal.lines == ["loading ... done"]


def test_a_line_may_rewrite_itself(terminal: Terminal, region: Region) -> None:
    region.paint(["first"])
    for number in range(3):
        terminal.print(f"{number} of 3", end="\r")
        region.paint([f"after {number}"])
        assert terminal.lines == [f"{number} of 3", f"after {number}"]
    region.close()
    assert terminal.lines == ["2 of 3"]


def test_a_line_longer_than_the_terminal_is_whole(terminal: Terminal, region: Region) -> None:
    region.paint(["first"])
    terminal.print("x" * COLUMNS + "y")
    assert terminal.lines == ["x" * COLUMNS, "y", "", "first"]


def test_colours_of_the_program_stay_its_own(terminal: Terminal, region: Region) -> None:
    terminal.print("\x1b[31mred", end="")
    region.paint(["first"])
    terminal.print("red")
    assert terminal.lines == ["redred", "", "first"]
    assert {terminal.screen.buffer[0][place].fg for place in range(6)} == {"red"}
    assert terminal.screen.buffer[2][0].fg == "default"


def test_whoever_has_the_stream_already_is_heard(terminal: Terminal, region: Region) -> None:
    write = terminal.stream.write
    region.paint(["first"])
    terminal.stream.write("by the stream\n")
    terminal.stream.writelines(["by lines\n"])
    assert terminal.lines == ["by the stream", "by lines", "", "first"]
    region.close()
    assert "write" not in vars(terminal.stream)
    assert terminal.stream.write == write


def test_another_hook_is_left_as_it_was(terminal: Terminal, region: Region) -> None:
    seen: list[str] = []
    original = terminal.stream.write

    def theirs(text: str) -> int:
        seen.append(text)
        return original(text)

    vars(terminal.stream)["write"] = theirs
    region.paint(["first"])
    terminal.stream.write("a\n")
    region.close()
    assert (seen, vars(terminal.stream)["write"]) == (["a\n"], theirs)


def test_a_hook_over_ours_keeps_working(terminal: Terminal, region: Region) -> None:
    region.paint(["first"])
    ours = terminal.stream.write
    vars(terminal.stream)["write"] = theirs = lambda text: ours(text.upper())
    region.close()
    assert terminal.stream.write is theirs
    terminal.print("a")
    assert terminal.lines == ["A"]


def test_other_streams_are_left_alone(terminal: Terminal, region: Region, monkeypatch: pytest.MonkeyPatch) -> None:
    other = io.StringIO()
    monkeypatch.setattr(sys, "stderr", other)
    region.paint(["first"])
    print("to the log", file=sys.stderr)
    assert other.getvalue() == "to the log\n"
    assert terminal.lines == ["", "first"]


def test_threads_write_whole_lines(terminal: Terminal, region: Region) -> None:
    def write(name: str) -> None:
        for number in range(50):
            terminal.stream.write(f"{name}{number:02}\n")

    region.paint(["first"])
    threads = [threading.Thread(target=write, args=(name,)) for name in "ab"]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        region.paint([str(len(terminal.lines))])
    shown = [line for line in terminal.lines[:-1] if line]
    assert len(shown) == ROWS - 2
    assert all(len(line) == 3 for line in shown)


def test_no_mode_of_the_terminal_is_changed(terminal: Terminal, region: Region) -> None:
    terminal.lines
    before, hidden = set(terminal.screen.mode), terminal.screen.cursor.hidden
    region.paint(["first"])
    terminal.lines
    assert (set(terminal.screen.mode), terminal.screen.cursor.hidden) == (before, hidden)


def test_a_terminal_that_is_gone_is_no_error(terminal: Terminal, region: Region) -> None:
    region.paint(["first"])
    os.close(terminal.ours)
    region.paint(["second"])
    region.close()
    terminal.ours = os.open(os.devnull, os.O_RDONLY)
