"""Writing to streams that cannot show what they are given, or are not there."""

from __future__ import annotations

import io
import sys

import pytest

from skyward_jupyter.runtime.writing import put


def stream(encoding: str) -> io.TextIOWrapper:
    return io.TextIOWrapper(io.BytesIO(), encoding=encoding, newline="")


@pytest.mark.parametrize(
    ("encoding", "shown"),
    [("ascii", b"a \\xfc\\u2713\n"), ("latin-1", b"a \xfc\\u2713\n"), ("utf-8", "a ü✓\n".encode())],
)
def test_what_cannot_be_shown_is_escaped(monkeypatch: pytest.MonkeyPatch, encoding: str, shown: bytes) -> None:
    for name in ("stdout", "stderr"):
        made = stream(encoding)
        monkeypatch.setattr(sys, name, made)
        assert put(name, "a ü✓\n")
        assert made.buffer.getvalue() == shown  # type: ignore[attr-defined]


def test_half_of_a_pair_is_escaped_too(monkeypatch: pytest.MonkeyPatch) -> None:
    made = stream("utf-8")
    monkeypatch.setattr(sys, "stdout", made)
    assert put("stdout", "ü \ud800\n")
    assert made.buffer.getvalue() == "ü \\ud800\n".encode()  # type: ignore[attr-defined]


def test_a_stream_that_is_not_there_takes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    assert put("stdout", "text")
    closed = stream("utf-8")
    closed.close()
    monkeypatch.setattr(sys, "stdout", closed)
    assert put("stdout", "text")


def test_one_that_fails_is_told_of_once(monkeypatch: pytest.MonkeyPatch) -> None:
    class Full(io.StringIO):
        def flush(self) -> None:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(sys, "stdout", Full())
    monkeypatch.setattr(sys, "stderr", told := io.StringIO())
    monkeypatch.setattr("skyward_jupyter.runtime.writing._State.told", frozenset())
    assert put("stdout", "a")
    assert put("stdout", "b")
    assert told.getvalue() == (
        "what the nodes write is not shown: stdout cannot be written to (No space left on device)\n"
    )
