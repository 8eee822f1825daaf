"""Barriers: casty lets everybody through together; who has come is known from the engines they came through.

Somebody who waits asks casty again under the same id when a node that was asked is lost, so nobody counts twice. One
whose node is lost counts as having come for up to `INTEREST` seconds after.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable
from uuid import UUID, uuid4

from casty import Ref, Unavailable
from casty.collections import barrier, configured

from skyward_jupyter.collections.address import Address, Who
from skyward_jupyter.collections.served import Room, Served
from skyward_jupyter.errors import BarrierTimeout

#: Seconds after its last question that somebody is taken for gone.
INTEREST = 30.0
_ASK_AGAIN = 10.0
_RETRY = 0.2
_WITHDRAW = 1.0
#: Seconds for which somebody who gave up counts as having come, for others who give up at about the same time.
_GAVE_UP = 3.0

_actor = configured(barrier.actor, 3, "majority")


class ServedBarrier(Served):
    """A barrier. One of as many parties as nodes is, after the pool has changed its size, a barrier of its own."""

    waits = frozenset({"wait"})

    def __init__(self, room: Room, address: Address) -> None:
        super().__init__(room, address)
        self.generation = 0

    @property
    def parties(self) -> int:
        """How many wait for each other."""
        return self.address.parties or len(self.room.ranks())

    async def wait(self, who: Who, timeout: float | None) -> None:
        """Return when all parties wait."""
        parties, name, presence = self.parties, self.address.name, self.room.presence
        here, generation = presence.come("barrier", name, who), self.generation
        try:
            await self._through(parties, timeout)
        except TimeoutError:
            error = await self._timed_out(parties, timeout or 0.0)
            presence.leave("barrier", name, here, _GAVE_UP)
            raise error from None
        finally:
            presence.go("barrier", name, here)
        # Those who went through together saw the same number; the first of them counts.
        if self.generation == generation:
            self.generation += 1

    async def _through(self, parties: int, timeout: float | None) -> None:
        at: Ref[barrier.Message] = self.room.system.ref(_actor, f"{self.address.name}/{parties}")
        me = uuid4()
        try:
            async with asyncio.timeout(timeout):
                while not await _asked(at.ask(barrier.Arrive(me, parties, time.time() + INTEREST))):
                    pass
        except BaseException as error:
            opened = await asyncio.shield(self._withdraw(at, me))
            if not (opened and isinstance(error, TimeoutError)):
                raise

    async def _withdraw(self, at: Ref[barrier.Message], me: UUID) -> bool:
        """Not to have come; whether it had opened meanwhile."""
        try:
            async with asyncio.timeout(_WITHDRAW):
                return await at.ask(barrier.Cancel(me))
        except (TimeoutError, Unavailable):
            return False

    async def _timed_out(self, parties: int, seconds: float) -> BarrierTimeout:
        there = await self.room.everybody("barrier", self.address.name)
        missing = sorted(set(self.room.ranks()) - {one.node for one in there})
        return BarrierTimeout(self.address.name, seconds, tuple(missing), min(len(there), parties - 1), parties)


async def _asked(answer: Awaitable[bool]) -> bool:
    """What is answered; nothing yet when it takes long, or nobody can be reached."""
    try:
        async with asyncio.timeout(_ASK_AGAIN):
            return await answer
    except TimeoutError:
        return False
    except Unavailable:
        await asyncio.sleep(_RETRY)
        return False
