"""Whether a node that says nothing is still there.

A node that has something to do and is silent is asked now and then. To a kernel whose link to a machine is broken, the
node there seems dead, and all of them if every link is: so one that does not answer is believed to be dead only if
other nodes answer, and do not hear from it either.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import casty

from skyward_jupyter.actors.hub import Hub
from skyward_jupyter.tasks import begin
from skyward_jupyter.wire.messages import Hears, Measure

#: A node with something to do that says nothing for so long is asked whether it is there, twice (seconds).
QUIET = 10.0
ANSWER_WITHIN = 5.0
#: How long the fleet may take to say that a node's process has ended, once the cluster gave it up (seconds).
PROVIDER_FIRST = 0.3
_AGAIN = 0.25
#: How often it is looked whether a node is heard from that nobody hears from any more.
LOOKS = 2


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
            self._asking = self._begin(self._confirm())

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
            self._asking = self._begin(self._inquire())

    def _begin(self, asking: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        return begin(asking, f"asking whether node {self._rank} is there", lambda _: self._again())

    def _again(self) -> None:
        """Look again later."""
        if self._timer is None:
            self._timer = self._loop.call_later(QUIET, self._look)

    def _asks(self) -> bool:
        return self._asking is not None and not self._asking.done()

    async def _inquire(self) -> None:
        """Ask it twice: a kernel that was busy itself may have missed the first answer."""
        here = await self._answers(self._rank) or await self._answers(self._rank)
        if here or (self._hub.fleet.alive(self._rank) and await self._behind_a_link()):
            self._timer = self._loop.call_later(QUIET, self._look)
        else:
            self._gone(f"it has not answered for {self._loop.time() - self._last:.0f} s")

    async def _behind_a_link(self) -> bool:
        """Whether a node that runs does not answer because no link, or not that to its machine, is whole."""
        if self._hub.unreached(self._rank):
            return not await self._given_up()
        return not await self._others(Measure())

    async def _confirm(self) -> None:
        await asyncio.sleep(PROVIDER_FIRST)  # it knows better what happened, if it knows
        while not await self._comes_back():
            if await self._given_up():
                self._gone("the other nodes do not hear from it any more")
                return

    async def _given_up(self) -> bool:
        """Whether other nodes answer, and none of them hears from it.

        Links that were broken together are mended one after another, and nodes that were apart take each other for dead
        until then: one whose process is not known to have ended is asked for some time more.
        """
        if self._hub.fleet.alone:
            return False
        for _ in range(LOOKS if self._hub.fleet.alive(self._rank) else 1):
            heard = await self._others(Hears(self._hub.fleet.address(self._rank)))
            if not heard or any(heard) or await self._comes_back():
                return False
        return True

    async def _others(self, question: Measure | Hears) -> list[object]:
        """What those of the other nodes say that answer."""
        asked = [self._answer(rank, question) for rank in self._hub.takers if rank != self._rank]
        return [answer for answer in await asyncio.gather(*asked) if answer is not None]

    async def _comes_back(self) -> bool:
        """Whether it answers before long: the connection to one node may be mended later than that to another."""
        until = self._loop.time() + ANSWER_WITHIN
        while self._loop.time() < until:
            if await self._answers(self._rank):
                return True
            await asyncio.sleep(_AGAIN)
        return False

    async def _answers(self, rank: int) -> bool:
        """Whether a node answers."""
        if await self._answer(rank, Measure()) is None:
            return False
        if rank == self._rank:
            self.heard()
        return True

    async def _answer(self, rank: int, question: Measure | Hears) -> object:
        """What a node answers; None when it does not."""
        try:
            async with asyncio.timeout(ANSWER_WITHIN):
                return await self._hub.worker(rank).ask(question)
        except (casty.Unavailable, TimeoutError):
            return None
