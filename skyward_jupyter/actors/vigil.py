"""Whether a node that says nothing is still there.

A node that has something to do and is silent is asked now and then. One that the cluster gave up is believed to be dead
only if another node answers and it does not: to a kernel whose link is broken, all of them seem dead.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import casty

from skyward_jupyter.actors.hub import Hub
from skyward_jupyter.wire.messages import Measure

#: A node with something to do that says nothing for so long is asked whether it is there, twice (seconds).
QUIET = 10.0
ANSWER_WITHIN = 5.0
#: How long the fleet may take to say that a node's process has ended, once the cluster gave it up (seconds).
PROVIDER_FIRST = 0.3
_AGAIN = 0.25


class Vigil:
    """Watches over one node.

    Parameters
    ----------
    busy
        Says whether the node has something to do.
    gone
        Called with why, when the node is not there any more.
    """

    def __init__(self, hub: Hub, rank: int, busy: Callable[[], bool], gone: Callable[[str], None]) -> None:
        self._hub = hub
        self._rank = rank
        self._busy = busy
        self._gone = gone
        self._loop = asyncio.get_running_loop()
        self._last = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._asking: asyncio.Task[None] | None = None

    def heard(self) -> None:
        """The node has said something."""
        self._last = self._loop.time()

    def keep(self) -> None:
        """Watch from now on, until the node has nothing to do."""
        if self._timer is None and self._busy():
            self.heard()
            self._timer = self._loop.call_later(QUIET, self._look)

    def doubt(self) -> None:
        """The cluster has given the node up."""
        if not self._asks():
            self._asking = self._loop.create_task(self._confirm())

    def close(self) -> None:
        """Watch no more."""
        for work in (self._timer, self._asking):
            if work is not None:
                work.cancel()

    def _look(self) -> None:
        self._timer = None
        if not self._busy():
            return
        quiet = self._loop.time() - self._last
        if quiet < QUIET or self._asks():
            self._timer = self._loop.call_later(max(QUIET - quiet, 1.0), self._look)
        else:
            self._asking = self._loop.create_task(self._inquire())

    def _asks(self) -> bool:
        return self._asking is not None and not self._asking.done()

    async def _inquire(self) -> None:
        """Ask it twice: a kernel that was busy itself may have missed the first answer."""
        here = await self._answers(self._rank) or await self._answers(self._rank)
        if here or (self._hub.fleet.alive(self._rank) and not await self._others_answer()):
            # One that runs and does not answer, nor does any other, is behind a broken link, which may be mended.
            self._timer = self._loop.call_later(QUIET, self._look)
        else:
            self._gone(f"it has not answered for {QUIET + 2 * ANSWER_WITHIN:g} s")

    async def _confirm(self) -> None:
        await asyncio.sleep(PROVIDER_FIRST)  # it knows better what happened, if it knows
        if not await self._comes_back() and await self._others_answer():
            self._gone("the other nodes do not hear from it any more")

    async def _comes_back(self) -> bool:
        """Whether it answers before long: the connection to one node may be mended later than that to another."""
        until = self._loop.time() + ANSWER_WITHIN
        while self._loop.time() < until:
            if await self._answers(self._rank):
                return True
            await asyncio.sleep(_AGAIN)
        return False

    async def _others_answer(self) -> bool:
        asked = [self._answers(rank) for rank in self._hub.takers if rank != self._rank]
        return any(await asyncio.gather(*asked))

    async def _answers(self, rank: int) -> bool:
        try:
            async with asyncio.timeout(ANSWER_WITHIN):
                await self._hub.worker(rank).ask(Measure())
        except (casty.Unavailable, TimeoutError):
            return False
        if rank == self._rank:
            self.heard()
        return True
