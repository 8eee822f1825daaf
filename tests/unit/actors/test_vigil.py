"""Who is ended, and who is not, when nodes do not hear each other."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import casty
import pytest

from skyward_jupyter.actors import vigil
from skyward_jupyter.actors.vigil import Vigil
from skyward_jupyter.wire.messages import Hears, Rests

type Pairs = set[tuple[int, int]]


@dataclass
class Pool:
    """Stands for the hub of four nodes, node 0 to 3, and of their links.

    Attributes
    ----------
    reached
        The nodes that answer the kernel.
    apart
        The nodes that do not hear each other.
    moving
        The nodes that still copy something.
    listed
        The nodes that the pool's client takes for living.
    """

    reached: set[int] = field(default_factory=lambda: {0, 1, 2, 3})
    apart: Pairs = field(default_factory=set)
    moving: set[int] = field(default_factory=set)
    listed: set[int] = field(default_factory=lambda: {0, 1, 2, 3})
    links: set[int] = field(default_factory=set)
    processes: set[int] = field(default_factory=lambda: {0, 1, 2, 3})
    takers: dict[int, None] = field(default_factory=lambda: dict.fromkeys(range(4)))
    condemned: set[int] = field(default_factory=set)
    whole: bool = True

    def __post_init__(self) -> None:
        self.fleet = SimpleNamespace(alone=False, alive=self.processes.__contains__, address=str)
        self.detours = SimpleNamespace(reach=self._reach)

    def split(self, one: Iterable[int]) -> None:
        """Cut one side off from the other, as the side of node 0 sees it."""
        one = set(one)
        other = {0, 1, 2, 3} - one
        self.apart = {(a, b) for a in one for b in other} | {(b, a) for a in one for b in other}
        self.listed = one if 0 in one else other

    async def _reach(self, rank: int) -> bool:
        return rank in self.reached

    def shut_out(self, rank: int) -> bool:
        return rank not in self.listed

    def unreached(self, rank: int) -> bool:
        return rank in self.links

    def worker(self, rank: int) -> Any:
        return SimpleNamespace(ask=lambda question: self._ask(rank, question))

    async def _ask(self, rank: int, question: Any) -> Any:
        if rank not in self.reached:
            raise casty.Unavailable
        match question:
            case Hears(address):
                return (rank, int(address)) not in self.apart
            case Rests():
                return rank not in self.moving
        return True


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, seconds in (("PROVIDER_FIRST", 0.0), ("ANSWER_WITHIN", 0.01), ("_AGAIN", 0.002), ("QUIET", 0.05)):
        monkeypatch.setattr(vigil, name, seconds)


async def ended(pool: Pool, *ranks: int, within: float = 0.4) -> list[int]:
    """The nodes that are ended of those that the cluster has given up."""
    gone: list[int] = []
    vigils = [Vigil(pool, rank, lambda: False, lambda _, rank=rank: gone.append(rank)) for rank in ranks]  # type: ignore[arg-type, misc]
    for it in vigils:
        it.doubt()
    await asyncio.sleep(within)
    for it in vigils:
        it.close()
    return gone


async def test_a_dead_machine_is_ended() -> None:
    pool = Pool(reached={0, 1, 3})
    pool.split({0, 1, 3})
    assert await ended(pool, 2) == [2]


@pytest.mark.parametrize("side", [{0, 1}, {0, 2}, {0}, {0, 1, 2}])
async def test_nobody_is_ended_whom_the_kernel_reaches(side: set[int]) -> None:
    pool = Pool()
    pool.split(side)
    assert await ended(pool, 0, 1, 2, 3) == []


async def test_one_side_out_of_reach_is_no_majority_when_it_is_most_of_them() -> None:
    """The kernel and one node are two of four that could hear node 1."""
    pool = Pool(reached={0})
    pool.split({0})
    assert await ended(pool, 1, 2, 3) == []


async def test_a_node_that_another_one_hears_is_not_ended() -> None:
    pool = Pool(reached={0, 1, 2}, apart={(0, 3), (1, 3)}, listed={0, 1, 2})
    assert await ended(pool, 3) == []


async def test_of_two_that_are_gone_one_is_ended_first() -> None:
    """The other one once it is replaced, and what it kept is copied."""
    pool = Pool(reached={0, 1})
    pool.split({0, 1})
    (first,) = await ended(pool, 2, 3)
    other = 5 - first
    assert await ended(pool, other) == [], "the first is being replaced"
    pool.reached.add(first)
    pool.split({0, 1, first})
    pool.condemned.clear()
    pool.whole, pool.moving = True, {first}
    assert await ended(pool, other) == [], "copies are on their way"
    pool.moving.clear()
    assert await ended(pool, other) == [other]


async def test_a_node_that_stands_still_is_ended_while_others_answer() -> None:
    """Its link is whole and the other nodes hear it: only the kernel knows that it does nothing."""
    pool = Pool(reached={0, 1, 2})
    gone: list[str] = []
    it = Vigil(pool, 3, lambda: True, gone.append)  # type: ignore[arg-type]
    it.keep()
    await asyncio.sleep(0.3)
    it.close()
    assert len(gone) == 1
    assert gone[0].startswith("it has not answered for")


async def test_a_busy_node_behind_a_broken_link_is_not_ended() -> None:
    pool = Pool(reached={0, 1, 2}, links={3})
    gone: list[str] = []
    it = Vigil(pool, 3, lambda: True, gone.append)  # type: ignore[arg-type]
    it.keep()
    await asyncio.sleep(0.3)
    it.close()
    assert gone == []


@pytest.mark.parametrize("answers", [True, False])
async def test_a_node_that_stood_still_for_less_than_twice_as_long_is_not_ended(
    answers: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor is one whose answers are lost, as after the cluster had given it up: what it says by itself counts."""
    monkeypatch.setattr(vigil, "QUIET", 1.0)
    pool = Pool(reached={0, 1, 2})
    gone: list[str] = []
    it = Vigil(pool, 3, lambda: True, gone.append)  # type: ignore[arg-type]
    it.keep()
    await asyncio.sleep(1.3)
    if answers:
        pool.reached.add(3)
    for _ in range(15):
        if not answers:
            it.heard()
        await asyncio.sleep(0.1)
    it.close()
    assert gone == []
