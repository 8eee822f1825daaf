"""The orders of a session: questions are answered beside what it runs, in bounds; the rest waits in order."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from queue import SimpleQueue

import pytest

from skyward_jupyter.agent import attending
from skyward_jupyter.agent.attending import Attended
from skyward_jupyter.agent.frames import Order, frame


class Ends:
    """A session's reader and the agent's end of its socket."""

    def __init__(self, answer: Callable[[bytes], bytes]) -> None:
        self.ours, self.theirs = socket.socketpair()
        self.answers: SimpleQueue[tuple[int, bytes]] = SimpleQueue()
        self.reader = Attended(self.theirs, answer, lambda number, body: self.answers.put((number, body)))

    def send(self, *frames: bytes) -> None:
        self.ours.sendall(b"".join(frames))


@pytest.fixture
def ends() -> Iterator[Callable[[Callable[[bytes], bytes]], Ends]]:
    made: list[Ends] = []

    def make(answer: Callable[[bytes], bytes]) -> Ends:
        made.append(Ends(answer))
        return made[-1]

    yield make
    for one in made:
        one.ours.close()
        assert one.reader.next() is None
        assert one.reader.next() is None
        one.theirs.close()


def test_questions_are_answered_while_nobody_takes_orders(ends: Callable[..., Ends]) -> None:
    pair = ends(bytes.upper)
    pair.send(
        frame(Order.PEERS, 0, b"p"), frame(Order.ASK, 1, b"one"), frame(Order.RUN, 7, b"r"), frame(Order.ASK, 2, b"two")
    )
    assert [pair.answers.get(timeout=10) for _ in range(2)] == [(1, b"ONE"), (2, b"TWO")]
    assert pair.reader.next() == (Order.PEERS, 0, b"p")
    assert pair.reader.poll() == (Order.RUN, 7, b"r")
    assert pair.reader.poll() is None


def test_what_takes_too_long_is_given_up_and_the_next_is_answered(
    ends: Callable[..., Ends], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attending, "WITHIN", 0.1)
    ended = threading.Event()

    def answer(question: bytes) -> bytes:
        if question == b"quick":
            return b"told"
        try:
            while True:
                time.sleep(0.001)
        finally:
            ended.set()

    pair = ends(answer)
    for number in range(20):
        ended.clear()
        pair.send(frame(Order.ASK, number, b"endless"), frame(Order.ASK, 100 + number, b"quick"))
        assert pair.answers.get(timeout=10) == (number, b"")
        assert ended.is_set()
        assert pair.answers.get(timeout=10) == (100 + number, b"told")
    pair.send(frame(Order.RUN, 7))
    assert pair.reader.next() == (Order.RUN, 7, b"")


def test_what_ends_just_in_time_is_sent_whole(ends: Callable[..., Ends], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attending, "WITHIN", 0.01)

    def answer(question: bytes) -> bytes:
        until = time.monotonic() + 0.01
        while time.monotonic() < until:
            pass
        return b"told"

    pair = ends(answer)
    for number in range(100):
        pair.send(frame(Order.ASK, number, b""))
        asked, body = pair.answers.get(timeout=10)
        assert asked == number
        assert body in (b"told", b"")
