"""Another client is tried while nodes that run do not answer, and only then."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest

from skyward_jupyter.actors import connection, node
from skyward_jupyter.actors.connection import Redial


@dataclass
class Client:
    """Stands for casty's: waits for so many answers."""

    waits: int = 0
    end: asyncio.Event = field(default_factory=asyncio.Event)

    def stats(self) -> Client:
        return self

    @property
    def asks_in_flight(self) -> int:
        self.waits -= 1
        return self.waits + 1

    async def __aexit__(self, *_: object) -> None:
        self.end.set()


@dataclass
class Pool:
    """Stands for the hub."""

    client: Client = field(default_factory=Client)
    takers: tuple[int, ...] = (0, 1)
    fleet: Any = field(default_factory=lambda: SimpleNamespace(alone=False))

    def replace_client(self, client: Client, rank: int) -> Client:
        former, self.client = self.client, client
        return former


@pytest.fixture
def tried(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """What the next tries come to: an error, or a client; without any, they take for ever."""
    outcomes: list[object] = []

    async def connect(_: Any, ranks: Any) -> Client:
        assert tuple(ranks) == (0, 1)
        if not outcomes:
            await asyncio.Event().wait()
        outcome = outcomes.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        assert isinstance(outcome, Client)
        return outcome

    monkeypatch.setattr(connection, "connect", connect)
    for name, seconds in (("AFTER", 0.1), ("PAUSE", 0.01), ("WITHIN", 0.1)):
        monkeypatch.setattr(connection, name, seconds)
    return outcomes


async def _miss(redial: Redial, pool: Pool, until: Any, within: float = 10.0) -> None:
    async with asyncio.timeout(within):
        while not until():
            redial.missed(1)
            await asyncio.sleep(0.01)  # as often as a courier tries


async def test_it_tries_until_one_gets_through(tried: list[object]) -> None:
    pool, new = Pool(Client(waits=3)), Client()
    former = pool.client
    tried += [ConnectionRefusedError(), TimeoutError(), new]
    redial: Any = Redial(pool)  # type: ignore[arg-type]
    await _miss(redial, pool, lambda: pool.client is new)
    await asyncio.wait_for(former.end.wait(), 10)
    assert former.waits <= 0, "it ended once it waited for nothing"
    assert not new.end.is_set()
    await redial.close()


async def test_a_node_that_answers_again_is_left_alone(tried: list[object], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "FORGET", 0.05)
    pool = Pool()
    former = pool.client
    redial: Any = Redial(pool)  # type: ignore[arg-type]
    redial.missed(0)
    await asyncio.sleep(0.15)
    tried.append(Client())
    redial.missed(0)
    await asyncio.sleep(0.02)
    assert pool.client is former
    await redial.close()


async def test_one_that_answers_is_missed_no_more(tried: list[object]) -> None:
    pool = Pool()
    former = pool.client
    tried.append(Client())
    redial: Any = Redial(pool)  # type: ignore[arg-type]
    for _ in range(30):
        redial.missed(0)
        assert redial.misses(0)
        redial.answered(0)
        assert not redial.misses(0)
        await asyncio.sleep(0.01)
    assert pool.client is former
    await redial.close()


async def test_a_node_that_the_others_gave_up_is_reached_separately_and_not_given_up() -> None:
    """One that is silent together with all others is dialled again; neither is lost for being silent."""
    asked: list[tuple[str, int]] = []
    processes, shut_out, unreached = {0, 1}, {1}, set[int]()
    hub = SimpleNamespace(
        redial=SimpleNamespace(missed=lambda rank: asked.append(("missed", rank))),
        detours=SimpleNamespace(seek=lambda rank: asked.append(("detour", rank))),
        fleet=SimpleNamespace(alive=lambda rank: rank in processes),
        shut_out=lambda rank: rank in shut_out,
        unreached=lambda rank: rank in unreached,
    )

    def runs(rank: int) -> bool:
        vigil = SimpleNamespace(doubt=lambda: asked.append(("doubt", rank)))
        return node._Node._runs(SimpleNamespace(hub=hub, rank=rank, vigil=vigil))  # type: ignore[arg-type]

    assert runs(0)
    assert runs(1)
    assert asked == [("missed", 0), ("detour", 1), ("doubt", 1)]
    unreached.add(1)
    assert runs(1), "its link is broken, and that may take as long as it does"
    processes.remove(1)
    assert not runs(1), "its process has ended"
    assert len(asked) == 3


async def test_closing_ends_what_is_under_way(tried: list[object]) -> None:
    pool, new = Pool(Client(waits=10**9)), Client()
    former = pool.client
    tried.append(new)
    redial: Any = Redial(pool)  # type: ignore[arg-type]
    await _miss(redial, pool, lambda: pool.client is new)
    await redial.close()
    assert former.end.is_set()


async def test_links_that_are_mended_one_after_another_each_count(tried: list[object]) -> None:
    pool, first, second = Pool(), Client(), Client()
    tried += [first, second]
    redial: Any = Redial(pool)  # type: ignore[arg-type]
    redial.mended(0)
    async with asyncio.timeout(10):
        while pool.client is not first:  # noqa: ASYNC110 - what it waits for sets no event
            await asyncio.sleep(0)
        redial.mended(1)  # while the client before is being ended, or just after
        while pool.client is not second:  # noqa: ASYNC110
            await asyncio.sleep(0)
    await redial.close()
