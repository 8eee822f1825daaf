"""Frames between an agent and a slot."""

from __future__ import annotations

import random
import socket
import threading
from collections.abc import Iterator

import pytest

from skyward_jupyter.agent.frames import Frame, Parser, Reader, frame

FRAMES: list[Frame] = [(1, 7, b"abc"), (2, 2**64 - 1, b""), (5, 0, b"x" * 70_000), (3, 9, b"\0"), (255, 1, b"end")]
STREAM = b"".join(frame(*each) for each in FRAMES)


@pytest.mark.parametrize("size", [1, 2, 5, 12, 13, 14, 1000, len(STREAM)])
def test_frames_survive_any_cut(size: int) -> None:
    parser = Parser()
    found = [each for at in range(0, len(STREAM), size) for each in parser.feed(STREAM[at : at + size])]
    assert found == FRAMES


def test_frames_survive_random_cuts() -> None:
    rng = random.Random(5)
    for _ in range(50):
        cuts = sorted(rng.sample(range(len(STREAM)), 7))
        parser = Parser()
        found = []
        for start, end in zip([0, *cuts], [*cuts, len(STREAM)], strict=True):
            found += list(parser.feed(STREAM[start:end]))
        assert found == FRAMES


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


def test_a_reader_waits_for_the_whole_frame(pair: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = pair
    reader = Reader(theirs)
    writer = threading.Thread(target=lambda: [ours.sendall(STREAM[at : at + 999]) for at in range(0, len(STREAM), 999)])
    writer.start()
    assert [reader.next() for _ in FRAMES] == FRAMES
    writer.join()


def test_a_reader_polls_without_waiting(pair: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = pair
    reader = Reader(theirs)
    assert reader.poll() is None
    ours.sendall(frame(1, 2, b"a") + frame(1, 3, b"b"))
    assert reader.poll() == (1, 2, b"a")
    assert reader.poll() == (1, 3, b"b")
    assert reader.poll() is None


def test_a_reader_ends_with_its_peer(pair: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = pair
    ours.sendall(frame(1, 2, b"whole") + frame(1, 3, b"cut off")[:-2])
    ours.close()
    reader = Reader(theirs)
    assert reader.next() == (1, 2, b"whole")
    assert reader.next() is None
    assert reader.next() is None
