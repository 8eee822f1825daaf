"""Which lost nodes are replaced at once, which wait, and what collections tell of."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import casty
import pytest

from skyward_jupyter.actors import copies
from skyward_jupyter.actors.copies import Copies
from skyward_jupyter.collections.address import Address
from skyward_jupyter.collections.losses import Losses
from skyward_jupyter.errors import CollectionLost
from skyward_jupyter.wire.messages import Keeps, Life, Loss, Rests
from tests.machines import until


@dataclass
class Pool:
    """Stands for the hub of five nodes."""

    takers: dict[int, None] = field(default_factory=lambda: dict.fromkeys(range(5)))
    losses: Losses = field(default_factory=Losses)
    loss: Loss | None = None
    rests: bool = True
    keeps: bool = True
    started: list[int] = field(default_factory=list)
    told: list[int] = field(default_factory=list)
    seen: list[tuple[str, ...]] = field(default_factory=list)
    silent: set[int] = field(default_factory=set)
    fleet: Any = field(default_factory=lambda: SimpleNamespace(alone=False))

    def worker(self, rank: int) -> Any:
        if rank in self.silent:
            raise casty.Unavailable("it does not answer")
        return SimpleNamespace(ask=self._ask, tell=lambda message: self.told.append(rank))

    async def _ask(self, question: Any) -> object:
        if isinstance(question, Rests):
            self.seen.append(question.lives)
        return {Rests: self.rests, Keeps: self.keeps, Life: "life"}[type(question)]

    def start(self, ranks: tuple[int, ...]) -> None:
        self.started += ranks

    def lose(self, made: Copies, rank: int) -> None:
        self.takers.pop(rank, None)
        made.lost(rank, self.takers)


@pytest.fixture
def pool(monkeypatch: pytest.MonkeyPatch) -> Pool:
    monkeypatch.setattr(copies, "LOOK", 0.01)
    return Pool()


async def test_the_second_of_two_waits_for_the_copies_of_the_first(pool: Pool) -> None:
    made = Copies(pool, pool.start)  # type: ignore[arg-type]
    pool.lose(made, 1)
    pool.lose(made, 2)
    assert pool.started == [1]
    await asyncio.sleep(0.1)
    assert pool.started == [1], "the first is not back"
    pool.rests = False
    pool.takers[1] = None
    await asyncio.sleep(0.1)
    assert pool.started == [1], "copies are on their way"
    pool.rests, pool.silent = True, {3}
    await asyncio.sleep(0.1)
    assert pool.started == [1], "a node that does not answer may have copies to make"
    pool.silent = set()
    await until(lambda: pool.started == [1, 2])
    assert pool.loss is None
    assert set(pool.seen) == {("life",)}, "every node is asked whether it has seen the one that was replaced"
    made.close()


async def test_it_waits_for_nothing_where_nothing_is_kept(pool: Pool) -> None:
    pool.keeps = False
    made = Copies(pool, pool.start)  # type: ignore[arg-type]
    pool.lose(made, 1)
    pool.lose(made, 2)
    await until(lambda: pool.started == [1, 2])
    made.close()


async def test_who_does_not_answer_may_keep_something(pool: Pool) -> None:
    pool.keeps, pool.silent = False, {0, 3, 4}
    made = Copies(pool, pool.start)  # type: ignore[arg-type]
    pool.lose(made, 1)
    pool.lose(made, 2)
    await asyncio.sleep(0.1)
    assert pool.started == [1], "no node has said that it keeps nothing"
    pool.silent = {3}
    await asyncio.sleep(0.1)
    assert pool.started == [1], "one has not"
    pool.silent = set()
    await until(lambda: pool.started == [1, 2])
    assert pool.loss is None
    made.close()


async def test_where_no_node_can_be_asked_nothing_is_known_of_what_is_kept(pool: Pool) -> None:
    made = Copies(pool, pool.start)  # type: ignore[arg-type]
    pool.keeps = False
    pool.lose(made, 1)
    pool.lose(made, 2)
    there, pool.takers = pool.takers, {}
    await asyncio.sleep(0.1)
    assert pool.started == [1]
    pool.takers = there
    await until(lambda: pool.started == [1, 2])
    made.close()


async def test_it_does_not_wait_for_ever(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(copies, "HELD", 0.05)
    pool.rests = False
    pool.losses.know("seen")
    made = Copies(pool, pool.start)  # type: ignore[arg-type]
    pool.lose(made, 1)
    pool.lose(made, 2)
    await until(lambda: pool.started == [1, 2])
    assert pool.loss is not None
    assert (pool.loss.nodes, pool.loss.left, pool.loss.names) == ((1, 2), 3, ("seen",)), "two are empty at once"
    made.close()


async def test_one_after_another_is_no_loss(pool: Pool) -> None:
    made = Copies(pool, pool.start)  # type: ignore[arg-type]
    for rank in (1, 2, 3):
        pool.lose(made, rank)
        assert pool.started[-1] == rank, "at once"
        pool.takers[rank] = None
        await until(lambda: not made.lacking)
    assert pool.loss is None
    assert not pool.told
    made.close()


async def test_as_many_as_keep_a_key_are_told_and_replaced_at_once(pool: Pool) -> None:
    pool.losses.know("seen")
    made = Copies(pool, pool.start)  # type: ignore[arg-type]
    for rank in (1, 2, 3):
        pool.lose(made, rank)
    assert sorted(pool.started) == [1, 2, 3]
    assert pool.loss is not None
    assert (pool.loss.nodes, pool.loss.left, pool.loss.names) == ((1, 2, 3), 2, ("seen",))
    assert pool.told == [0, 4]
    with pytest.raises(CollectionLost, match="dict 'seen' has lost data: nodes 1, 2, 3 were lost together at"):
        pool.losses.tell(Address("dict", "seen"))
    pool.losses.tell(Address("dict", "seen"))
    pool.losses.tell(Address("counter", "new"))
    pool.takers.update(dict.fromkeys((1, 2, 3)))
    await until(lambda: pool.loss is None)
    made.close()


async def test_a_pool_of_one_has_lost_all(pool: Pool) -> None:
    pool.takers = {0: None}
    pool.losses.know("seen")
    made = Copies(pool, pool.start)  # type: ignore[arg-type]
    pool.lose(made, 0)
    assert pool.started == [0]
    with pytest.raises(CollectionLost, match="all of its counts are gone") as caught:
        pool.losses.tell(Address("counter", "seen"))
    assert (caught.value.kind, caught.value.name, caught.value.nodes, caught.value.left) == ("counter", "seen", (0,), 0)
    made.close()
