"""What calls write, here."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

import skyward as sky

type Capture = pytest.CaptureFixture[str]


@sky.compute
def talk(text: str) -> None:
    print(text)
    print("err", text, file=sys.stderr)


def lines(text: str) -> list[str]:
    return sorted(text.splitlines())


def test_output_is_labelled_with_its_node(pool: sky.ComputePool, capsys: Capture) -> None:
    talk("hi") @ pool
    shown = capsys.readouterr()
    assert lines(shown.out) == ["[0] hi", "[1] hi", "[2] hi"]
    assert lines(shown.err) == ["[0] err hi", "[1] err hi", "[2] err hi"]


def test_output_is_there_when_the_call_returns(pool: sky.ComputePool, capsys: Capture) -> None:
    for n in range(20):
        talk(str(n)) >> pool
        assert capsys.readouterr().out.endswith(f"] {n}\n")


def test_output_comes_before_an_error(pool: sky.ComputePool, capsys: Capture) -> None:
    @sky.compute
    def fails() -> None:
        print("about to")
        raise LookupError

    with pytest.raises(LookupError):
        fails() >> pool
    assert capsys.readouterr().out.endswith("] about to\n")


def test_output_of_c_code_and_child_processes(pool: sky.ComputePool, capsys: Capture) -> None:
    @sky.compute
    def talk() -> None:
        os.write(1, b"descriptor\n")
        subprocess.run("echo child; echo trouble >&2", shell=True, check=True)

    talk() >> pool
    shown = capsys.readouterr()
    assert sorted(line.partition("] ")[2] for line in shown.out.splitlines()) == ["child", "descriptor"]
    assert shown.err.endswith("] trouble\n")


def test_much_output_arrives_whole_and_in_order(pool: sky.ComputePool, capsys: Capture) -> None:
    @sky.compute
    def chatter() -> None:
        for n in range(5000):
            print(f"line {n}")

    chatter() >> pool
    assert [line.partition("] ")[2] for line in capsys.readouterr().out.splitlines()] == [
        f"line {n}" for n in range(5000)
    ]


def test_only_the_head(pool: sky.ComputePool, capsys: Capture) -> None:
    sky.stdout(only="head")(sky.compute(talk.function))("x") @ pool
    shown = capsys.readouterr()
    assert lines(shown.out) == ["[0] x"]
    assert len(lines(shown.err)) == 3


@pytest.fixture(autouse=True)
def _fresh_rules() -> None:
    vars(talk.function).pop("_skyward_output", None)


def test_some_nodes(pool: sky.ComputePool, capsys: Capture) -> None:
    sky.stderr(only=[1, 2])(sky.stdout(only=0)(sky.compute(talk.function)))("x") @ pool
    shown = capsys.readouterr()
    assert lines(shown.out) == ["[0] x"]
    assert lines(shown.err) == ["[1] err x", "[2] err x"]


def test_silence(pool: sky.ComputePool, capsys: Capture) -> None:
    quiet = sky.silent(sky.compute(talk.function))
    quiet("x") @ pool
    quiet("x") >> pool
    assert capsys.readouterr() == ("", "")


def test_output_of_one_task_is_not_the_next_ones(pool: sky.ComputePool, capsys: Capture) -> None:
    for n in range(30):
        sky.compute(lambda n=n: sys.stdout.write(f"no newline {n}"))() >> pool
    found = [line.partition("] ")[2] for line in capsys.readouterr().out.splitlines()]
    assert found == [f"no newline {n}" for n in range(30)]


def _write_holding(fd: int, data: bytes) -> None:
    """Write from C while no other thread can run."""
    import ctypes

    held, done = ctypes.PyDLL(None), 0
    while done < len(data):
        done += held.write(fd, data[done:], len(data) - done)


@pytest.mark.parametrize("stream", [1, 2])
def test_much_that_c_code_writes_while_no_other_thread_can_run(
    pool: sky.ComputePool, capsys: Capture, stream: int
) -> None:
    @sky.compute
    def flood() -> None:
        print("before")
        _write_holding(stream, b"".join(b"%07d\n" % n for n in range(50_000)))
        print("after")

    flood().with_timeout(20) @ pool
    shown = capsys.readouterr()
    text = shown.out if stream == 1 else shown.err
    for node in range(3):
        lines = [line.partition("] ")[2] for line in text.splitlines() if line.startswith(f"[{node}]")]
        numbers = [f"{n:07}" for n in range(50_000)]
        assert lines == (["before", *numbers, "after"] if stream == 1 else numbers)


def test_python_c_and_children_keep_their_order(pool: sky.ComputePool, capsys: Capture) -> None:
    @sky.compute
    def talk() -> None:
        for n in range(20):
            print("python", n)
            os.write(1, b"c %d\n" % n)
            print("error", n, file=sys.stderr)
            subprocess.run(["echo", "child", str(n)], check=True)

    talk() >> pool
    shown = capsys.readouterr()
    assert [line.partition("] ")[2] for line in shown.out.splitlines()] == [
        f"{who} {n}" for n in range(20) for who in ("python", "c", "child")
    ]
    assert [line.partition("] ")[2] for line in shown.err.splitlines()] == [f"error {n}" for n in range(20)]


def test_what_a_task_that_dies_wrote_last_is_seen(pool: sky.ComputePool, capsys: Capture) -> None:
    @sky.compute
    def dies() -> None:
        os.write(1, b"last words\n")
        os._exit(3)

    with pytest.raises(sky.SlotDied):
        dies() >> pool
    assert capsys.readouterr().out.endswith("] last words\n")
