"""The actors that people wait at: the bell of a queue, the keeper of a lock, the turnstile of a barrier."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from casty import ActorSystem, Ref

from skyward_jupyter.collections import departed, keeper, turnstile
from skyward_jupyter.collections.asking import Done
from skyward_jupyter.collections.bell import BellMessage, Ring, Wait, bell
from skyward_jupyter.collections.keeper import REFUSED, WAIT, KeeperMessage, Release, Renew, Want
from skyward_jupyter.collections.places import Places
from skyward_jupyter.collections.turnstile import Come, Go, TurnstileMessage


@pytest.fixture
async def system() -> AsyncIterator[ActorSystem]:
    async with ActorSystem() as made:
        yield made


def asked(question: Any) -> asyncio.Task[Any]:
    """A question that is on its way."""
    return asyncio.get_running_loop().create_task(question)


async def settled(at: Ref[Any], probe: Any, *asking: asyncio.Task[Any]) -> list[Any]:
    """What has been answered once an actor has dealt with all that was sent before a probe; None for what has not."""
    await asyncio.sleep(0)  # they are on their way
    await at.ask(probe)
    await asyncio.sleep(0)
    return [one.result() if one.done() else None for one in asking]


async def test_a_bell_wakes_who_has_waited_longest(system: ActorSystem) -> None:
    at: Ref[BellMessage] = system.ref(bell, "bell")
    rung = await at.ask(Wait("probe", 0.0, -1))
    waits = [asked(at.ask(Wait(name, waited, rung))) for name, waited in (("b", 3.0), ("a", 9.0), ("c", 0.5))]
    assert await settled(at, Wait("probe", 0.0, -1), *waits) == [None] * 3
    order = []
    for _ in range(3):
        at.tell(Ring(1))
        await asyncio.wait([wait for wait in waits if not wait.done()], timeout=2, return_when=asyncio.FIRST_COMPLETED)
        order += [wait for wait in waits if wait.done() and wait not in order]
    assert [waits.index(wait) for wait in order] == [1, 0, 2]


async def test_a_lock_goes_to_who_has_waited_longest_with_rising_tokens(system: ActorSystem) -> None:
    at: Ref[KeeperMessage] = system.ref(keeper.keeper, "lock")
    assert await at.ask(Want("first", "", 0.0)) == 1
    assert await at.ask(Want("first", "", 0.0)) == 1  # asked again, it is had already
    waits = [asked(at.ask(Want(name, "", waited))) for name, waited in (("b", 3.0), ("a", 9.0))]
    assert await settled(at, Renew("nobody"), *waits) == [None, None]
    assert await at.ask(Release("first")) is True
    assert await settled(at, Renew("nobody"), *waits) == [None, 2]
    assert await at.ask(Release("first")) is False
    assert await at.ask(Renew("first")) is False
    assert await at.ask(Renew("a")) is True
    assert await at.ask(Release("a")) is True
    assert await settled(at, Renew("nobody"), waits[0]) == [3]


async def test_a_lock_goes_from_one_to_the_next_in_one_write(system: ActorSystem) -> None:
    at: Ref[KeeperMessage] = system.ref(keeper.keeper, "lock")
    assert await at.ask(Want("first", "", 0.0)) == 1
    waits = asked(at.ask(Want("next", "", 0.0)))
    assert await settled(at, Renew("nobody"), waits) == [None]
    before = system.stats().writes_confirmed
    assert await at.ask(Release("first")) is True
    assert await settled(at, Renew("nobody"), waits) == [2]
    assert system.stats().writes_confirmed == before + 1


async def test_who_asks_again_keeps_the_place_and_who_left_gets_nothing(system: ActorSystem) -> None:
    at: Ref[KeeperMessage] = system.ref(keeper.keeper, "lock")
    assert await at.ask(Want("holder", "", 0.0)) == 1
    assert await at.ask(Want("at once", "", 0.0, once=True)) == REFUSED
    first = asked(at.ask(Want("a", "", 5.0)))
    other = asked(at.ask(Want("b", "", 1.0)))
    await settled(at, Renew("nobody"), first, other)
    again = asked(at.ask(Want("a", "", 0.0)))
    assert await settled(at, Renew("nobody"), first, again) == [WAIT, None]
    assert await at.ask(Release("b")) is False
    assert await at.ask(Want("b", "", 2.0)) == REFUSED  # an old word that came late
    assert await at.ask(Release("holder")) is True
    assert await settled(at, Renew("nobody"), again) == [2]


async def test_silence_costs_a_lock_once_however_many_are_silent(
    system: ActorSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [1000.0]
    monkeypatch.setattr(keeper, "monotonic", lambda: now[0])
    at: Ref[KeeperMessage] = system.ref(keeper.keeper, "lock")
    assert await at.ask(Want("holder", "", 0.0)) == 1
    silent = [asked(at.ask(Want(f"silent {number}", "", 10.0))) for number in range(4)]
    await settled(at, Renew("nobody"), *silent)
    for _ in range(4):  # a second at a time: a longer one would be taken for a pause of the keeper
        now[0] += 1.0
        await at.ask(Renew("holder"))
    alive = asked(at.ask(Want("alive", "", 0.0)))
    await settled(at, Renew("nobody"), alive)
    assert await at.ask(Release("holder")) is True  # given to one who is silent since 4 s
    for _ in range(5):
        now[0] += 1.0
        await at.ask(Renew("nobody"))
        again = asked(at.ask(Want("alive", "", 0.0)))
        await settled(at, Renew("nobody"), again)
    now[0] += 0.1
    assert await asyncio.wait_for(again, 3) >= 3


async def test_a_pause_of_the_keeper_costs_nobody_the_lock(
    system: ActorSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [1000.0]
    monkeypatch.setattr(keeper, "monotonic", lambda: now[0])
    at: Ref[KeeperMessage] = system.ref(keeper.keeper, "lock")
    assert await at.ask(Want("holder", "", 0.0)) == 1
    waits = asked(at.ask(Want("other", "", 0.0)))
    await settled(at, Renew("nobody"), waits)
    now[0] += 60.0  # it stood still, and so looked at nothing
    assert await at.ask(Renew("holder")) is True
    assert await settled(at, Renew("nobody"), waits) == [None]


async def test_a_holder_whose_node_is_gone_has_lost_the_lock_at_once(system: ActorSystem) -> None:
    at: Ref[KeeperMessage] = system.ref(keeper.keeper, "lock")
    assert await at.ask(Want("holder", "life 1", 0.0)) == 1
    lost = asked(at.ask(Want("lost", "life 1", 9.0)))
    waits = asked(at.ask(Want("other", "life 2", 0.0)))
    await settled(at, Renew("nobody"), lost, waits)
    departed.note("life 1")
    assert await asyncio.wait_for(waits, 3) == 2
    assert not lost.done()


async def test_a_turnstile_lets_all_through_together_and_nobody_twice(system: ActorSystem) -> None:
    at: Ref[TurnstileMessage] = system.ref(turnstile.turnstile, "barrier/3")
    first = asked(at.ask(Come("a", "", 3)))
    again = asked(at.ask(Come("a", "", 3)))
    second = asked(at.ask(Come("b", "", 3)))
    assert await settled(at, Go("nobody"), first, again, second) == [False, None, None]
    assert await at.ask(Go("b")) is False
    assert await at.ask(Come("b", "", 3)) is False  # an old word that came late
    others = [asked(at.ask(Come(name, "", 3))) for name in ("c", "d")]
    assert await settled(at, Go("nobody"), again, *others) == [True] * 3
    assert await at.ask(Come("c", "", 3)) is True  # it had not heard
    assert await at.ask(Go("d")) is True
    at.tell(Done("c"))
    late = asked(at.ask(Come("e", "", 3)))
    assert await settled(at, Go("nobody"), late) == [None]


async def test_who_is_gone_with_its_node_does_not_count_at_a_turnstile(system: ActorSystem) -> None:
    at: Ref[TurnstileMessage] = system.ref(turnstile.turnstile, "barrier/2")
    lost = asked(at.ask(Come("lost", "life 3", 2)))
    await settled(at, Go("nobody"), lost)
    departed.note("life 3")
    waits = asked(at.ask(Come("other", "life 4", 2)))
    assert await settled(at, Go("nobody"), lost, waits) == [None, None]
    assert await at.ask(Come("third", "life 4", 2)) is True


def test_places_are_in_the_order_of_coming_and_lost_by_silence() -> None:
    places: Places[str] = Places(8.0)
    assert places.come("a", "", 5.0, 10.0, "answer a") is None
    assert places.come("b", "", 1.0, 10.0, "answer b") is None
    assert places.come("a", "", 9.0, 14.0, "answer a again") == "answer a"
    assert [one.name for one in places.there(15.0)] == ["b", "a"]
    assert [one.name for one in places.there(19.0)] == ["a"]
    places.excuse(10.0)
    assert [one.name for one in places.there(30.0)] == ["a"]
    assert places.leave("a", 30.0)
    assert places.left("a")
    assert not places.leave("c", 100.0)
    assert not places.left("a")
