"""Barriers: a turnstile lets everybody through together; who has come is known from the engines they came through.

Whoever waits asks the turnstile again under the same name every few seconds, so nobody counts twice, and a node that is
lost holds nobody up. One whose node is lost counts as having come for up to `SILENT` seconds after.
"""

from __future__ import annotations

import asyncio
from uuid import uuid4

from casty import Ref, Unavailable

from skyward_jupyter.collections.address import Address, Who
from skyward_jupyter.collections.asking import Done, answer
from skyward_jupyter.collections.served import Room, Served
from skyward_jupyter.collections.turnstile import Come, Go, TurnstileMessage, turnstile
from skyward_jupyter.errors import BarrierTimeout

_WITHDRAW = 1.0
#: Seconds for which somebody who gave up counts as having come, for others who give up at about the same time.
_GAVE_UP = 3.0


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
        at: Ref[TurnstileMessage] = self.room.system.ref(turnstile, f"{self.address.name}/{parties}")
        me, life = uuid4().hex, self.room.life()
        try:
            async with asyncio.timeout(timeout):
                while not await answer(self.room, at.ask(Come(me, life, parties))):
                    pass
        except BaseException as error:
            opened = await asyncio.shield(self._withdraw(at, me))
            if not (opened and isinstance(error, TimeoutError)):
                raise
        else:
            at.tell(Done(me))

    async def _withdraw(self, at: Ref[TurnstileMessage], me: str) -> bool:
        """Not to have come; whether it had opened meanwhile."""
        try:
            async with asyncio.timeout(_WITHDRAW):
                return await at.ask(Go(me))
        except (TimeoutError, Unavailable):
            return False

    async def _timed_out(self, parties: int, seconds: float) -> BarrierTimeout:
        there = await self.room.everybody("barrier", self.address.name)
        missing = sorted(set(self.room.ranks()) - {one.node for one in there})
        return BarrierTimeout(self.address.name, seconds, tuple(missing), min(len(there), parties - 1), parties)
