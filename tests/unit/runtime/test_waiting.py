"""Who is told that the main thread waits."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator

import pytest

from skyward_jupyter.runtime import waiting
from skyward_jupyter.runtime.bridge import wait


class Observer:
    def __init__(self) -> None:
        self.seen: list[tuple[str, bool]] = []

    def entered(self) -> None:
        self.seen.append(("entered", waiting.since() > 0))

    def left(self) -> None:
        self.seen.append(("left", waiting.since() > 0))


@pytest.fixture
def observer() -> Iterator[Observer]:
    made = Observer()
    waiting.observe(made)
    yield made
    waiting.forget(made)


async def fail() -> None:
    raise ValueError


def test_a_wait_has_a_beginning_and_an_end(observer: Observer) -> None:
    wait(asyncio.sleep(0))
    with pytest.raises(ValueError):  # noqa: PT011
        wait(fail())
    assert observer.seen == [("entered", True), ("left", False)] * 2


def test_other_threads_do_not_count(observer: Observer) -> None:
    thread = threading.Thread(target=lambda: wait(asyncio.sleep(0)))
    thread.start()
    thread.join()
    assert observer.seen == []


def test_who_was_forgotten_is_told_no_more(observer: Observer) -> None:
    waiting.forget(observer)
    wait(asyncio.sleep(0))
    assert observer.seen == []
