"""Makes the copies anew that a node had which was lost and replaced at its address.

Where a replacement has the address of the node before it, nobody is asked to keep anything else than before, so casty
moves nothing: what the lost node kept, the new one would only get with the next write. Here every other node, once it
has seen the replacement, has what it keeps a copy of written anew where it belongs. What is ours is asked to, and
answers once that is done; what is casty's is activated and then let go of, with which it is written to all that keep
it. It goes on beside everything else, and takes the longer the more there is: some thousand actors a second, and of a
dict or set all keys are in 32 of them.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Coroutine, Iterable, Iterator, Mapping
from functools import reduce
from typing import Any

import casty.collections as kinds
from casty import (
    ActorFailed,
    ActorSystem,
    DefaultedActor,
    Event,
    HandoffEnded,
    HandoffStarted,
    LoggingObserver,
    MemberChanged,
    System,
)

from skyward_jupyter.collections import apart, keeper, segments, tally, turnstile
from skyward_jupyter.collections.asking import Owner, answer
from skyward_jupyter.collections.rewriting import Rewrite
from skyward_jupyter.tasks import Tasks

log = logging.getLogger("skyward")

_CASTY = "casty.collections:"
#: What is ours, and answers once its copies are written.
_OURS: Mapping[str, DefaultedActor[Any, Any]] = {
    definition.name: definition
    for definition in (
        *segments.SEGMENT.values(),
        *apart.APART.values(),
        *tally.TALLIES.values(),
        keeper.keeper,
        turnstile.turnstile,
    )
}
#: How many keys are taken at a time, and the pause between two times (seconds).
_PIECE, _PAUSE = 100, 0.02
#: Seconds that others may take to see a node, and to activate what they are asked to.
_SETTLE = 1.0
#: Seconds that a key of casty's may take to be let go of; how often one of ours is asked, and for how long (seconds).
_LET_GO = 1.0
_TRIES, _ANSWER = 4, 10.0


class Repair:
    """Watches for replacements; given to the system as its observer."""

    def __init__(self) -> None:
        self._log = LoggingObserver()
        self._known: dict[str, str] = {}
        self._due = asyncio.Event()
        self._moving: set[tuple[str, str]] = set()
        self._repairing = False
        self._tasks = Tasks("writing copies anew")

    def rests(self, lives: Iterable[str] = ()) -> bool:
        """Whether nothing is on its way to this node, or from it to those that keep it from now on.

        Not before it has seen all members of these incarnations: what one of them is to have may be yet to be written.
        """
        busy = self._moving or self._repairing or self._due.is_set()
        return not busy and set(self._known.values()).issuperset(lives)

    def wants(self, kind: type[Event]) -> bool:
        """Whether it takes events of a kind."""
        return kind in (MemberChanged, HandoffStarted, HandoffEnded) or self._log.wants(kind)

    def __call__(self, event: Event) -> None:
        """Take an event of the system."""
        if self._log.wants(type(event)):
            self._log(event)
        if isinstance(event, HandoffStarted):
            self._moving.add((event.actor, event.direction))
        elif isinstance(event, HandoffEnded):
            self._moving.discard((event.actor, event.direction))
        elif isinstance(event, MemberChanged) and event.status == "alive":
            address, incarnation = event.node.address or "", event.node.incarnation.hex
            before = self._known.get(address)
            self._known[address] = incarnation
            if before not in (None, incarnation):
                self._due.set()

    def own(self, work: Coroutine[Any, Any, Any]) -> None:
        """Have something done beside everything else."""
        self._tasks.start(work)

    async def run(self, system: ActorSystem) -> None:
        """Repair after each replacement, until it is cancelled."""
        while True:
            await self._due.wait()
            self._repairing = True
            self._due.clear()
            try:
                await asyncio.sleep(_SETTLE)
                await _write_anew(system, self)
                await asyncio.sleep(_SETTLE)
                await _let_go(system)
            finally:
                self._repairing = False


async def repairing(repair: Repair, system: ActorSystem) -> None:
    """Repair for as long as the node is there, whatever goes wrong with one repair."""
    while True:
        try:
            await repair.run(system)
        except Exception:
            log.exception("what collections keep here could not be repaired; it is tried again")


def meet(system: ActorSystem) -> None:
    """Have a node know, before it joins, all types that collections are made of.

    One that joins copies what it keeps of the types that it knows; of those that it meets later it would be taken for a
    node that has their keys, and has none. And each type that is met later is told to every member.
    """
    for definition in _types():
        system._learn(definition)


def _types() -> Iterator[Any]:
    """Yield the types of all that has copies."""
    for kind in ("register", "queue", "queue_segment"):
        for write in ("majority", "one"):
            yield getattr(kinds, f"{kind}_3_{write}")
    yield from _OURS.values()


async def kept(system: System) -> list[tuple[str, str]]:
    """The keys of collections, with their types, that a node keeps a copy of. There is no other way to its list."""
    if not isinstance(system, ActorSystem):
        return []
    stored = await system._stored()
    return [(actor, key) for actor, key, _ in stored if actor.startswith(_CASTY) or actor in _OURS]


async def _write_anew(system: ActorSystem, owner: Owner) -> None:
    """Have everything written anew, or at least activated, that this node keeps a copy of."""
    stored = await kept(system)
    for start in range(0, len(stored), _PIECE):
        await asyncio.gather(*(_begun(system, owner, *one) for one in stored[start : start + _PIECE]))
        await asyncio.sleep(_PAUSE)


async def _begun(system: ActorSystem, owner: Owner, actor: str, key: str) -> None:
    if actor in _OURS:
        await _rewritten(system, owner, actor, key)
    else:
        system.ref(_definition(actor), key)


async def _rewritten(system: ActorSystem, owner: Owner, actor: str, key: str) -> None:
    for _ in range(_TRIES):
        with contextlib.suppress(ActorFailed):
            if await answer(owner, system.ref(_OURS[actor], key).ask(Rewrite()), _ANSWER):
                return
    log.warning("copies of %s could not be written to a node that took another's place", key)


async def _let_go(system: ActorSystem) -> None:
    active = [(one.actor, one.key) for one in system.activations() if one.actor.startswith(_CASTY)]
    for start in range(0, len(active), _PIECE):
        await asyncio.gather(*(_released(system, *one) for one in active[start : start + _PIECE]))
        await asyncio.sleep(_PAUSE)


async def _released(system: ActorSystem, actor: str, key: str) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_LET_GO):
            await system.release(_definition(actor), key)


def _definition(actor: str) -> Any:
    return reduce(getattr, actor.removeprefix(_CASTY).split("."), kinds)
