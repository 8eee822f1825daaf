"""Locks: what asks a lock's keeper, and renews what it gave, for whoever has the lock through this process.

Nothing is handed out on an old word: an answer that took long to be heard, as after this process stood still, is asked
for again first.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import time
from dataclasses import dataclass
from uuid import uuid4

from casty import Ref, System

from skyward_jupyter.collections.address import Address, Who
from skyward_jupyter.collections.asking import BEAT, answer
from skyward_jupyter.collections.freshness import fresh
from skyward_jupyter.collections.keeper import REFUSED, TTL, WAIT, KeeperMessage, Release, Renew, Want, keeper
from skyward_jupyter.collections.served import Room, Served
from skyward_jupyter.errors import LockLost
from skyward_jupyter.tasks import begin

#: Seconds between two renewals.
RENEW = 2.0
#: Seconds in which it is answered whether a lock is free.
_ONCE_WITHIN = 4.0
#: Seconds that another keeper may take to be there, and somebody who is silent to be taken for gone by it.
_WITHDRAW_WITHIN = 30.0

_numbers = itertools.count(1)


class Tenure:
    """A lock that this process has from its keeper, renewed until it is given back or lost.

    Attributes
    ----------
    token
        It fences it.
    """

    def __init__(self, room: Room, at: Ref[KeeperMessage], request: str, token: int, asked: float) -> None:
        self.token = token
        self._room = room
        self._at = at
        self._request = request
        self._confirmed = asked
        self._lost = False
        self._renewing = begin(self._renew(), "renewing a lock", self._lose)

    async def stands(self) -> bool:
        """Whether it is still held, as far as was known a moment ago."""
        while not self._lost and not fresh(self._confirmed):
            await self._confirm()
        return not self._lost

    async def end(self) -> bool:
        """Give it back; whether it was held until now."""
        self._renewing.cancel()
        known = time.monotonic() - self._confirmed <= TTL
        kept = None if self._lost else await answer(self._room, self._at.ask(Release(self._request)))
        if kept is None and not self._lost:
            self._room.own(withdraw(self._room, self._at, self._request))
            return known
        return bool(kept)

    def _lose(self, _: BaseException) -> None:
        """It is not renewed any more."""
        self._lost = True

    async def _renew(self) -> None:
        while not self._lost:
            await asyncio.sleep(RENEW)
            await self._confirm()

    async def _confirm(self) -> None:
        asked = time.monotonic()
        try:
            kept = await answer(self._room, self._at.ask(Renew(self._request)))
        except RuntimeError:  # the pool was stopped
            kept = False
        if kept:
            self._confirmed = max(self._confirmed, asked)
        elif kept is not None:
            self._lost = True


def kept_by(system: System, name: str) -> Ref[KeeperMessage]:
    """The keeper of a lock."""
    return system.ref(keeper, name)


async def obtained(room: Room, at: Ref[KeeperMessage], timeout: float | None) -> Tenure | None:
    """Have a lock from its keeper; None when it was not free within `timeout` seconds."""
    request, began = uuid4().hex, time.monotonic()
    tenure: Tenure | None = None
    try:
        tenure = await _obtained(room, at, request, began, timeout)
        return tenure
    finally:
        if tenure is None:
            room.own(withdraw(room, at, request))


async def _obtained(
    room: Room, at: Ref[KeeperMessage], request: str, began: float, timeout: float | None
) -> Tenure | None:
    once, life = timeout == 0, room.life()
    until = None if timeout is None else began + (_ONCE_WITHIN if once else timeout)
    while True:
        asked = time.monotonic()
        left = BEAT if until is None else min(BEAT, until - asked)
        if left <= 0 and once:
            raise TimeoutError
        if left <= 0:
            return None
        told = await answer(room, at.ask(Want(request, life, asked - began, once)), left)
        if told == REFUSED:
            return None
        if told is None or told == WAIT:
            continue
        if fresh(asked):
            return Tenure(room, at, request, told, asked)


async def withdraw(room: Room, at: Ref[KeeperMessage], request: str) -> None:
    """Say that a lock is not wanted any more, to its next keeper if need be."""
    until = time.monotonic() + _WITHDRAW_WITHIN
    with contextlib.suppress(RuntimeError):  # the pool was stopped
        while time.monotonic() < until and await answer(room, at.ask(Release(request))) is None:
            pass


@dataclass(slots=True)
class _Held:
    tenure: Tenure
    here: int


class ServedLock(Served):
    """A lock."""

    calls = frozenset({"release", "stands"})
    waits = frozenset({"acquire"})

    def __init__(self, room: Room, address: Address) -> None:
        super().__init__(room, address)
        self._at = kept_by(room.system, address.name)
        self._held: dict[int, _Held] = {}

    async def acquire(self, who: Who, timeout: float | None) -> tuple[int, int] | None:
        """Have the lock: what `release` takes, and the fencing token; None when it was not free in time."""
        presence, name = self.room.presence, self.address.name
        here = presence.come("lock", name, who)
        tenure: Tenure | None = None
        try:
            tenure = await obtained(self.room, self._at, timeout)
        finally:
            if tenure is None:
                presence.go("lock", name, here)
        if tenure is None:
            return None
        number = next(_numbers)
        self._held[number] = _Held(tenure, here)
        presence.hold("lock", name, here, tenure.token)
        return number, tenure.token

    async def stands(self, number: int) -> bool:
        """Whether the lock is still held."""
        return await self._held[number].tenure.stands()

    async def release(self, number: int) -> None:
        """Free the lock.

        Raises
        ------
        LockLost
            It was not held any more.
        """
        held = self._held.pop(number)
        try:
            kept = await held.tenure.end()
        finally:
            self.room.presence.go("lock", self.address.name, held.here)
        if not kept:
            raise LockLost(self.address.name, held.tenure.token)
