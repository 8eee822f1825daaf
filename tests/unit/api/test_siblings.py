"""The parts of a call: what is told when, and who is stopped."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import pytest

from skyward_jupyter.api import siblings as module
from skyward_jupyter.api.siblings import Siblings


class Listener:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.told: list[tuple[dict[int, str], list[int]]] = []
        self.stops = 0
        self._news = asyncio.Event()

    def tell(self, failed: Mapping[int, str], running: list[int]) -> None:
        self.told.append((dict(failed), running))
        self._news.set()

    def stop(self) -> None:
        self.stops += 1

    async def hear(self) -> tuple[dict[int, str], list[int]]:
        async with asyncio.timeout(20):
            await self._news.wait()
        self._news.clear()
        return self.told[-1]


@pytest.fixture
def listener() -> Listener:
    return Listener()


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SOON", 0.02)


async def test_failures_at_about_the_same_time_are_told_together(listener: Listener) -> None:
    four = Siblings[str](range(4), listener.tell)
    four.ended(2, "bad")
    four.ended(1, "worse")
    four.ended(0, None)
    assert await listener.hear() == ({2: "bad", 1: "worse"}, [3])
    assert len(listener.told) == 1
    assert not four.stopping


async def test_each_is_told_once(listener: Listener) -> None:
    three = Siblings[str](range(3), listener.tell)
    three.ended(2, "bad")
    assert await listener.hear() == ({2: "bad"}, [0, 1])
    three.ended(0, "also bad")
    assert await listener.hear() == ({0: "also bad"}, [1])


async def test_nothing_is_told_when_all_have_ended(listener: Listener) -> None:
    two = Siblings[str](range(2), listener.tell)
    two.ended(1, "bad")
    two.ended(0, None)
    await asyncio.sleep(0.1)
    assert not listener.told


async def test_the_first_failure_stops_the_others_once(listener: Listener) -> None:
    four = Siblings[str](range(4), listener.tell, listener.stop)
    four.ended(0, None)
    four.ended(1, "bad")
    four.ended(2, "interrupted")
    assert (listener.stops, four.stopped, four.stopping) == (1, frozenset((2, 3)), True)
    assert await listener.hear() == ({1: "bad"}, [3])


async def test_nobody_needs_to_listen() -> None:
    stops: list[int] = []
    two = Siblings[str](range(2), None, lambda: stops.append(1))
    two.ended(1, "bad")
    two.ended(0, "interrupted")
    assert stops == [1]
