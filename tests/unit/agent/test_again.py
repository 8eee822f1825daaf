"""What the system has no room for is tried again, later and later."""

from __future__ import annotations

import errno
import threading
import time

import pytest

from skyward_jupyter.agent import again
from skyward_jupyter.agent.again import Again, lack, lack_of_threads
from skyward_jupyter.agent.config import AgentConfig
from skyward_jupyter.agent.crew import SESSION, Crew


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    return now


def test_the_pauses_grow_up_to_a_longest(clock: list[float]) -> None:
    tries, pauses = Again(), []
    for _ in range(9):
        tries.later(("a",), lambda: None)
        pauses.append(round(tries.wait() or 0.0, 6))
        assert tries.due() == []
        clock[0] += pauses[-1]
        assert len(tries.due()) == 1
        assert tries.due() == []
        assert tries.wait() is None
    assert pauses == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0, 5.0]
    tries.done(("a",))
    tries.later(("a",), lambda: None)
    assert tries.wait() == pytest.approx(again.FIRST)


def test_what_is_dropped_is_not_tried(clock: list[float]) -> None:
    tries = Again()
    for rank in range(3):
        tries.later(("agent", "pool", rank), lambda: None)
    tries.later(("slot", 7, 0), lambda: None)
    assert tries.drop("agent", "pool", 1) == [("agent", "pool", 1)]
    assert tries.drop("agent", "pool") == [("agent", "pool", 0), ("agent", "pool", 2)]
    clock[0] += 1.0
    assert len(tries.due()) == 1
    assert tries.drop("slot", 7) == []  # its try is under way
    assert tries.wait() is None


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (BlockingIOError(errno.EAGAIN, "again"), "no more processes"),
        (OSError(errno.ENOMEM, "memory"), "no memory"),
        (MemoryError(), "no memory"),
        (OSError(errno.EMFILE, "files"), "no more files"),
        (ValueError("it is wrong"), ""),
    ],
)
def test_what_is_lacking_is_said(error: BaseException, said: str) -> None:
    assert said in lack(error)
    assert bool(lack(error)) == bool(said)


def test_threads_that_cannot_start_are_lacking(monkeypatch: pytest.MonkeyPatch) -> None:
    assert lack_of_threads(4) == ""
    start, left = threading.Thread.start, [2]

    def limited(thread: threading.Thread) -> None:
        left[0] -= 1
        if left[0] < 0:
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", limited)
    assert "no more processes" in lack_of_threads(4)
    assert "no more processes" in lack(RuntimeError("can't start new thread"))


def test_a_node_says_which_of_its_slots_lack_room() -> None:
    said: list[tuple[int, str]] = []
    config = AgentConfig("p", 0, "127.0.0.1:1", (), "c", "s", "certs", 3, "process", 0)
    nothing = [lambda *_: None] * 5
    made = Crew(config, *nothing, lambda slots, why: said.append((slots, why)), print)  # type: ignore[arg-type]
    made.failed(1, "no room")
    made.failed(1, "no room")
    made.failed(SESSION, "no room")
    made.failed(2, "no room")
    assert said == [
        (0, "cannot start slot 1: no room; it is tried again"),
        (0, "cannot start its session and slot 1: no room; it is tried again"),
        (0, "cannot start its session and slots 1, 2: no room; it is tried again"),
    ]
