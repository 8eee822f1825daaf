"""The supplier: when nodes that join together are asked."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from itertools import count
from types import SimpleNamespace

import pytest

from skyward_jupyter.actors import supplier
from skyward_jupyter.actors.messages import Heard, Meet, Phase

NODES = 20


class Node:
    """An actor of a node, which keeps what it is told."""

    def __init__(self) -> None:
        self.met = asyncio.Event()

    def tell(self, message: object) -> None:
        assert isinstance(message, Meet | Phase)
        if isinstance(message, Meet):
            self.met.set()


class Pool:
    """As much of a hub as a supplier needs, of a pool whose nodes hear of each other as `living` says."""

    def __init__(self) -> None:
        self.nodes = [Node() for _ in range(NODES)]
        self.fleet = SimpleNamespace(alone=False, address=str, start=lambda *_, **__: None, hourly_cost=lambda _: 0.0)
        self.cost = SimpleNamespace(begin=lambda *_: None)
        self.generation: dict[int, int] = {}
        self.client = object()
        self.known: set[str | None] = set()
        self._turns = count()

    def node(self, rank: int) -> Node:
        return self.nodes[rank]

    def peers(self, _: object) -> tuple[()]:
        return ()

    def living(self) -> set[str | None]:
        """They give up one more, and hear of it again, all the time."""
        return self.known if next(self._turns) % 2 else set(sorted(map(str, self.known))[1:])


@pytest.fixture
async def starting(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[tuple[Pool, supplier._Supplier]]:
    """Have a start of many nodes under way."""
    monkeypatch.setattr(supplier, "LOOK", 0.005)
    pool = Pool()
    it = supplier._Supplier(pool)  # type: ignore[arg-type]
    it.start(tuple(range(NODES)))
    yield pool, it
    it.close()


def join(pool: Pool, it: supplier._Supplier, rank: int) -> None:
    """Have a node join, and all others hear of it."""
    pool.known.add(str(rank))
    it.handle(Heard(rank, "ready", 0, ""))


async def test_nodes_that_have_joined_are_asked_once_no_more_come(
    starting: tuple[Pool, supplier._Supplier], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supplier, "APART", 0.1)
    pool, it = starting
    for rank in range(3):
        join(pool, it, rank)
    async with asyncio.timeout(5):  # although what they hear of each other changes without end
        await asyncio.gather(*(node.met.wait() for node in pool.nodes[:3]))
    assert not any(node.met.is_set() for node in pool.nodes[3:])


async def test_nodes_that_have_joined_do_not_wait_for_a_slow_crowd_for_ever(
    starting: tuple[Pool, supplier._Supplier], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supplier, "APART", 60.0)
    monkeypatch.setattr(supplier, "PATIENCE", 0.1)
    pool, it = starting
    join(pool, it, 0)
    async with asyncio.timeout(5):
        await pool.nodes[0].met.wait()


@pytest.mark.parametrize("ranks", [[3], [3, 4, 9], list(range(1, 11))])
def test_nodes_join_through_the_first_and_the_last_of_all(ranks: list[int]) -> None:
    seeds = supplier._apart(ranks)
    assert sorted(seeds) == ranks
    assert {ranks[0], ranks[-1]} <= set(seeds[:3])
