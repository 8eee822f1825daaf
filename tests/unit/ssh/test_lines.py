"""How what a command writes is cut into lines."""

from __future__ import annotations

import pytest

from skyward_jupyter.ssh.lines import LONGEST, Lines


def read(*parts: bytes) -> list[str]:
    lines = Lines()
    return [line for part in parts for line in lines.feed(part)] + lines.end()


@pytest.mark.parametrize(
    ("written", "lines"),
    [
        (b"", []),
        (b"one\ntwo\n", ["one", "two"]),
        (b"one\r\n\ntwo", ["one", "", "two"]),
        (b"10%\r20%\r30%\ndone\n", ["30%", "done"]),
        (b"10%\r20%\r", ["20%"]),
        (b"10%\r\r\n", ["10%"]),
        ("für\n".encode(), ["für"]),
        (b"\xff\n", ["\ufffd"]),
    ],
)
def test_cuts_lines_however_they_come(written: bytes, lines: list[str]) -> None:
    assert read(written) == lines
    assert read(*(written[at : at + 1] for at in range(len(written)))) == lines


def test_a_line_is_bounded() -> None:
    (line, after) = read(*[b"x" * 10_000] * 10, b"\nnext\n")
    assert line.startswith("x" * LONGEST)
    assert line.endswith("(cut off)")
    assert len(line) < LONGEST + 20
    assert after == "next"


def test_a_progress_bar_that_never_ends_its_line_is_bounded() -> None:
    lines = Lines()
    for step in range(100_000):
        assert lines.feed(b"\r%d%%" % step) == []
    assert lines.end() == ["99999%"]
