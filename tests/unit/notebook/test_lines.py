"""Streams cut into lines, and the rows that progress bars redraw."""

from __future__ import annotations

from skyward_jupyter.notebook.lines import LineReader


def test_whole_lines_come_out_and_a_rest_stays() -> None:
    reader = LineReader()
    assert reader.feed("a\nb\nc") == ["a", "b"]
    assert reader.feed("d\n") == ["cd"]
    assert reader.feed("e") == []
    assert reader.end() == ["e"]
    assert reader.end() == []


def test_a_line_without_end_is_cut() -> None:
    reader = LineReader()
    assert reader.feed("x" * 100_000) == ["x" * 100_000]


def test_a_progress_bar_is_one_row_that_stays() -> None:
    reader = LineReader()
    for done in range(0, 101, 10):
        assert reader.feed(f"\r{done:3}%|{'#' * (done // 10):<10}|") == []
    assert reader.live.shown() == ["100%|##########|"]
    assert reader.feed("\nafter\n") == ["after"]
    assert reader.live.shown() == ["100%|##########|"]


def test_a_shorter_row_leaves_the_rest_as_a_terminal_does() -> None:
    reader = LineReader()
    reader.feed("\rlong text")
    reader.feed("\rab")
    assert reader.live.shown() == ["abng text"]
    reader.feed("\r\x1b[Kcd")
    assert reader.live.shown() == ["cd"]


def test_two_bars_one_after_the_other() -> None:
    reader = LineReader()
    reader.feed("\rA 1\rA 2\n")
    reader.feed("\rB 1\rB 2")
    assert reader.live.shown() == ["A 2", "B 2"]


def test_nested_bars_keep_their_rows() -> None:
    reader = LineReader()
    reader.feed("\router 0\n\rinner 0\x1b[A")
    assert reader.live.shown()[0] == "outer 0"


def test_windows_line_ends_are_no_progress() -> None:
    reader = LineReader()
    assert reader.feed("a\r\nb\r\n") == ["a", "b"]
    assert reader.live.shown() == []


def test_finished_rows_are_bounded() -> None:
    reader = LineReader()
    for number in range(200):
        reader.feed(f"\rbar {number}\n")
    assert len(reader.live.shown()) == 50
    assert reader.live.dropped == 150
