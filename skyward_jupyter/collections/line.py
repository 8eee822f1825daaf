"""Queues: casty keeps the items, and a bell wakes those who wait for one, in the order they came.

An item is handed over once: it leaves the queue with whoever takes it, and goes back, to the end, when whoever that
was is gone before it had it. Only with a node that is lost in the middle of a hand-over may an item be lost.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
import uuid
from collections.abc import Sequence

from casty import Ref, Unavailable
from casty.collections import Missing, Queue

from skyward_jupyter.collections.address import Address, Who
from skyward_jupyter.collections.again import TRY_ALL, again, again_all
from skyward_jupyter.collections.asking import Done
from skyward_jupyter.collections.bell import BellMessage, Ring, Wait, bell
from skyward_jupyter.collections.patience import Patience
from skyward_jupyter.collections.served import Linked, Room, Served, level
from skyward_jupyter.tasks import promise

#: Seconds between two looks at a queue by those who wait, should the bell be lost with its node.
_LOOK_AGAIN = 2.0
#: Seconds after which a node that was asked for an item is taken for lost, and for which its answer is waited for yet.
_ANSWER_WITHIN, _FORGET = 5.0, 60.0


class ServedQueue(Served):
    """A queue."""

    calls = frozenset({"put", "front", "empty", "size", "clear"})
    bulk = frozenset({"put"})
    long = frozenset({"size", "clear"})
    waits = frozenset({"get"})

    def __init__(self, room: Room, address: Address) -> None:
        super().__init__(room, address)
        self._queue = Linked(room.reach, self._made)
        self._bell: Linked[Ref[BellMessage]] = Linked(room.reach, lambda: room.system.ref(bell, address.name))

    def _made(self) -> Queue[bytes]:
        write = level(self.address.consistency)
        return self.room.collections.queue(self.address.name, value=bytes, write=write)

    async def begin(self) -> None:
        """Be ready for the first call."""
        await self.front()

    async def put(self, items: Sequence[bytes]) -> None:
        """Append items, in their order."""
        for item in items:
            await self._queue().offer(item)
        self._bell().tell(Ring(len(items)))
        self.changed()

    async def get(self, who: Who, timeout: float | None) -> bytes | None:
        """The next item, waiting for it; None when none came in time."""
        item = await self._taken()
        if item is not None or timeout == 0:
            return item
        with self.room.presence.waiting("queue", self.address.name, who):
            return await self._awaited(None if timeout is None else time.monotonic() + timeout)

    async def front(self) -> bytes | None:
        """The next item, left where it is."""
        found = await again(lambda: self._queue().peek())
        return None if isinstance(found, Missing) else found

    async def empty(self) -> bool:
        """Whether nothing waits in it."""
        return await self.front() is None

    async def size(self) -> int:
        """How many items wait in it."""
        return await again_all(lambda: self._queue().size())

    async def clear(self) -> None:
        """Remove what is in it. Not asked for again: what was put meanwhile would go as well."""
        async with Patience(TRY_ALL):
            await self._queue().clear()
        self.changed()

    async def _awaited(self, until: float | None) -> bytes | None:
        name, came = uuid.uuid4().hex, time.monotonic()
        heard = 0
        try:
            while True:
                left = _LOOK_AGAIN if until is None else min(_LOOK_AGAIN, until - time.monotonic())
                if left <= 0:
                    return None
                with contextlib.suppress(TimeoutError, Unavailable):
                    waited = time.monotonic() - came
                    heard = await asyncio.wait_for(self._bell().ask(Wait(name, waited, heard)), left)
                if (item := await self._taken()) is not None:
                    return item
        except asyncio.CancelledError:
            self._tell(Ring(1))  # it may have rung for this one
            raise
        finally:
            self._tell(Done(name))

    def _tell(self, message: BellMessage) -> None:
        with contextlib.suppress(RuntimeError):  # the pool was stopped
            self._bell().tell(message)

    async def _taken(self) -> bytes | None:
        """The next item. One that comes too late, or to nobody, goes back."""
        taking = promise(self._queue().poll())
        try:
            async with asyncio.timeout(_ANSWER_WITHIN):
                found = await asyncio.shield(taking)
        except TimeoutError:
            self.room.own(self._put_back(taking))
            return None
        except Unavailable:
            return None
        except asyncio.CancelledError:
            self.room.own(self._put_back(taking))
            raise
        if isinstance(found, Missing):
            return None
        self.changed()
        return found

    async def _put_back(self, taking: asyncio.Future[bytes | Missing]) -> None:
        with contextlib.suppress(TimeoutError, Unavailable):
            async with asyncio.timeout(_FORGET):
                found = await taking
                if not isinstance(found, Missing):
                    await self.put((found,))
