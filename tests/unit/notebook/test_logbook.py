"""The last lines of a run: numbered, bounded."""

from __future__ import annotations

import pytest

from skyward_jupyter.notebook import logbook
from skyward_jupyter.notebook.logbook import Line, LogBook


def test_lines_have_their_nodes_and_stream() -> None:
    log = LogBook()
    log.add([0, 1, 3], "stdout", "a\nb\n")
    log.add([2], "stderr", "c")
    assert log.tail(9) == [Line("0-1,3", "stdout", "a"), Line("0-1,3", "stdout", "b"), Line("2", "stderr", "c")]


def test_text_as_it_comes_becomes_lines() -> None:
    log = LogBook()
    for text in ("ha", "lf\nne", "xt\r\n", "10%\r20%\r", "30%"):
        log.feed(0, "stdout", text)
    log.feed(0, "stderr", "other\n")
    log.close()
    assert [line.text for line in log.tail(9)] == ["half", "next", "other", "30%"]


def test_the_oldest_lines_go_and_numbers_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logbook, "LINES", 10)
    log = LogBook()
    for number in range(25):
        log.add([0], "stdout", str(number))
    assert (log.first, log.end) == (15, 25)
    assert [line.text for line in log.lines(12, 18)] == ["15", "16", "17"]
    assert [line.text for line in log.lines(24, 99)] == ["24"]


def test_characters_are_bounded_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logbook, "CHARACTERS", 100)
    log = LogBook()
    for _ in range(50):
        log.add([0], "stdout", "x" * 30)
    assert (log.first, log.end) == (47, 50)


def test_a_long_line_is_cut_and_says_so() -> None:
    log = LogBook()
    log.add([0], "stdout", "x" * (logbook.LONGEST + 7))
    assert log.tail(1)[0].text.endswith("x … 7 characters not shown")


def test_a_line_that_never_ends_is_bounded() -> None:
    log = LogBook()
    for _ in range(100):
        log.feed(0, "stdout", "x" * 10_000)
    log.close()
    assert len(log.tail(1)[0].text) < logbook.LONGEST + 50


def test_colours_are_left_out() -> None:
    log = LogBook()
    log.add([0], "stderr", "\x1b[31mred\x1b[0m")
    assert log.tail(1)[0].text == "red"


def test_cleared_lines_are_gone_and_numbers_go_on() -> None:
    log = LogBook()
    log.add([0], "stdout", "old\n")
    log.clear()
    log.add([0], "stdout", "new\n")
    assert (log.first, log.end) == (1, 2)
    assert [line.text for line in log.tail(5)] == ["new"]
