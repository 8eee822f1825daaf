"""The streams of user code: text and bytes in their order, whole characters, and nothing that ends them."""

from __future__ import annotations

import codecs
import io
import os
import pickle
import sys
from collections.abc import Iterator

import pytest

from skyward_jupyter.agent.showable import showable, showable_bundle
from skyward_jupyter.agent.streams import TaskStream, settle


class Taken:
    """Takes what is written."""

    def __init__(self) -> None:
        self.text = ""
        self.flushed = 0

    def write(self, stream: str, text: str) -> None:
        self.text += text

    def flush(self) -> None:
        self.flushed += 1


@pytest.fixture
def taken() -> Taken:
    return Taken()


@pytest.fixture
def out(taken: Taken) -> Iterator[TaskStream]:
    read, write = os.pipe()
    yield TaskStream("stdout", write, lambda: taken)
    os.close(read)
    os.close(write)


def test_it_is_what_a_script_has(out: TaskStream, taken: Taken) -> None:
    assert isinstance(out, io.TextIOWrapper)
    assert (out.name, out.mode, out.encoding, out.isatty()) == ("<stdout>", "w", "utf-8", False)
    assert (out.writable(), out.readable(), out.seekable(), out.closed) == (True, False, False, False)
    assert out.fileno() == out.buffer.fileno() > 2
    out.reconfigure(encoding="utf-8", errors="strict", line_buffering=True, write_through=True)
    out.writelines(["a", "b"])
    print("c", end="", file=out)
    assert (taken.text, out.write("größe")) == ("abc", 5)
    with pytest.raises(TypeError, match="must be str, not int"):
        out.write(3)  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        out.buffer.write("text")  # type: ignore[arg-type]


def test_text_and_bytes_come_in_their_order(out: TaskStream, taken: Taken) -> None:
    out.write("a")
    assert out.buffer.write("ü".encode()) == 2
    out.buffer.writelines([b"b", memoryview(b"c"), bytearray(b"d")])
    out.write("e")
    assert taken.text == "aübcde"


def test_characters_stay_whole(out: TaskStream, taken: Taken) -> None:
    for byte in "ü€😀".encode():
        out.buffer.write(bytes([byte]))
        out.buffer.flush()
    assert taken.text == "ü€😀"
    out.buffer.write(b"\xc3")
    settle(out, out)
    assert taken.text == "ü€😀\ufffd"


def test_wrapping_taking_apart_and_closing_do_no_harm(out: TaskStream, taken: Taken) -> None:
    with io.TextIOWrapper(out.buffer, encoding="utf-8") as wrapped:
        wrapped.write("w")
    codecs.getwriter("utf-8")(out.detach()).write("ä")
    out.close()
    out.buffer.close()
    out.write("on")
    assert (taken.text, out.closed) == ("wäon", False)


def test_what_is_left_in_a_wrapper_is_written_at_the_end(
    out: TaskStream, taken: Taken, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(out.buffer, encoding="utf-8"))
    sys.stdout.write("late")
    assert taken.text == ""
    settle(out, TaskStream("stderr", 2, lambda: taken))
    assert taken.text == "late"


def test_a_forked_child_writes_to_the_descriptor(taken: Taken) -> None:
    read, write = os.pipe()
    out = TaskStream("stdout", write, lambda: taken)
    out.leave()
    out.write("whole\n")
    out.buffer.write("ü".encode())
    out.write("x\ud800")
    out.flush()
    os.close(write)
    with open(read, "rb") as pipe:
        assert pipe.read() == "whole\nüx\\ud800".encode()
    assert (taken.text, out.left) == ("", True)


def test_it_travels_as_what_is_called_so_there(out: TaskStream) -> None:
    assert pickle.loads(pickle.dumps(out)) is sys.stdout


@pytest.mark.parametrize(
    ("text", "shown"), [("plain", "plain"), ("größe", "größe"), ("a\ud800ü", "a\\ud800ü"), ("\udcff", "\\udcff")]
)
def test_half_of_a_pair_is_escaped(out: TaskStream, taken: Taken, text: str, shown: str) -> None:
    out.write(text)
    assert (taken.text, showable(text), showable_bundle({"a": text, "b": 1})) == (shown, shown, {"a": shown, "b": 1})
