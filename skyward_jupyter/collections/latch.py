"""Locks: casty's leases, renewed here for as long as whoever holds them is there."""

from __future__ import annotations

import asyncio
import itertools
import time
from dataclasses import dataclass

from casty import Unavailable
from casty.collections import Lease, Lock

from skyward_jupyter.collections.address import Address, Who
from skyward_jupyter.collections.served import TRY, Room, Served, again
from skyward_jupyter.errors import LockLost
from skyward_jupyter.tasks import begin

#: Seconds after which the lock of a node that was lost is free again.
TTL = 8.0
#: Seconds between two renewals.
RENEW = 2.0
_AGAIN = 0.2

_numbers = itertools.count(1)


@dataclass(slots=True)
class _Held:
    lease: Lease
    here: int
    renewing: asyncio.Task[None]
    confirmed: float


class ServedLock(Served):
    """A lock."""

    calls = frozenset({"release"})
    waits = frozenset({"acquire"})

    def __init__(self, room: Room, address: Address) -> None:
        super().__init__(room, address)
        self._lock: Lock = room.collections.lock(address.name, ttl=TTL)
        self._held: dict[int, _Held] = {}

    async def begin(self) -> None:
        """Be ready for the first call."""
        await again(self._lock.locked)

    async def acquire(self, who: Who, timeout: float | None) -> tuple[int, int] | None:
        """Have the lock: what `release` takes, and the fencing token; None when it was not free in time."""
        presence, name = self.room.presence, self.address.name
        here = presence.come("lock", name, who)
        try:
            lease = await self._acquired(timeout)
        except BaseException:
            presence.go("lock", name, here)
            raise
        if lease is None:
            presence.go("lock", name, here)
            return None
        number = next(_numbers)
        renewing = begin(self._renew(number), f"renewing {self.address}", lambda _: self._lose(number))
        self._held[number] = _Held(lease, here, renewing, time.monotonic())
        presence.hold("lock", name, here, lease.token)
        return number, lease.token

    async def release(self, number: int) -> None:
        """Free the lock.

        Raises
        ------
        LockLost
            It was not held any more.
        """
        held = self._held.pop(number)
        held.renewing.cancel()
        held.lease.release()
        self.room.presence.go("lock", self.address.name, held.here)
        if time.monotonic() - held.confirmed > TTL:
            raise LockLost(self.address.name, held.lease.token)

    async def _acquired(self, timeout: float | None) -> Lease | None:
        """A lease; while the cluster changes it is asked for again."""
        if timeout == 0:
            async with asyncio.timeout(2 * TRY):
                return await self._lock.try_lock()
        try:
            async with asyncio.timeout(timeout):
                while True:
                    try:
                        return await self._lock.acquire()
                    except Unavailable:
                        await asyncio.sleep(_AGAIN)
        except TimeoutError:
            return None

    def _lose(self, number: int) -> None:
        """It is not renewed any more: `release` says that it was lost, if it is still held."""
        if (held := self._held.get(number)) is not None:
            held.confirmed = float("-inf")

    async def _renew(self, number: int) -> None:
        while True:
            await asyncio.sleep(RENEW)
            held, asked = self._held[number], time.monotonic()
            try:
                async with asyncio.timeout(RENEW):
                    renewed = await held.lease.renew(TTL)
            except (Unavailable, TimeoutError):
                continue  # tried again until it has run out
            if not renewed:
                self._lose(number)
                return
            held.confirmed = asked
