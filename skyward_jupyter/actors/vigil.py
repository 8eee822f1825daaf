"""Whether a node that says nothing is still there.

A node that has something to do and is silent is asked now and then, and so is one that the cluster has given up, both
through the pool's client and on a separate connection. A node that answers this kernel is never ended, whatever the
other nodes hear. One that does not answer counts as dead when more than half of all that could hear it, this kernel and
every other node, say that they do not, and none says that it does. Where no such majority answers, no node is ended.
Nodes are ended one after the other: before the next one, what the last one kept has all its copies again, so that no
node takes the last copy of anything along.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import casty

from skyward_jupyter.actors.hub import Hub
from skyward_jupyter.tasks import begin
from skyward_jupyter.wire.messages import Hears, Measure, Rests

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
        if self._silence < QUIET or self._asks():
            self._timer = self._loop.call_later(max(QUIET - self._silence, 1.0), self._look)
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
        if here or not await self._stands_still():
            self._timer = self._loop.call_later(QUIET, self._look)
        else:
            self._end(f"it has not answered for {self._silence:.0f} s")

    @property
    def _silence(self) -> float:
        """Seconds since it was heard last."""
        return self._loop.time() - self._last

    async def _stands_still(self) -> bool:
        """Whether others answer and it does not, although its link is whole, or it is gone with its machine."""
        if not self._hub.fleet.alive(self._rank):
            return True
        if self._hub.unreached(self._rank):
            return await self._given_up()
        # The connection to others may have been mended just now, and that to this one a moment later.
        if not await self._others(Measure()) or await self._comes_back(self._last + 2 * QUIET):
            return False
        return await self._is_spare()

    async def _confirm(self) -> None:
        """Ask until the cluster has it again, or it is clear that it is not there any more."""
        await asyncio.sleep(PROVIDER_FIRST)  # it knows better what happened, if it knows
        while True:
            if await self._comes_back():
                if not self._hub.shut_out(self._rank):
                    return
                await asyncio.sleep(ANSWER_WITHIN)
            elif await self._given_up():
                self._end("the other nodes do not hear from it any more")
                return
            elif self._busy() and self._silence > 2 * QUIET and await self._stands_still():
                self._end(f"it has not answered for {self._silence:.0f} s")
                return

    def _end(self, why: str) -> None:
        self._hub.condemned.add(self._rank)
        self._hub.whole = False
        self._gone(why)

    async def _given_up(self) -> bool:
        """Whether most of all who could hear it do not, nobody does, and it may be ended now.

        Links that were broken together are mended one after another, and nodes that were apart take each other for dead
        until then: one whose process is not known to have ended is asked for some time more.
        """
        if self._hub.fleet.alone:
            return False
        for _ in range(LOOKS if self._hub.fleet.alive(self._rank) else 1):
            heard = await self._others(Hears(self._hub.fleet.address(self._rank)))
            if any(heard) or not self._is_majority(len(heard)) or await self._comes_back():
                return False
        return await self._is_spare()

    def _is_majority(self, others: int) -> bool:
        """Whether so many nodes, and this kernel, are more than half of all but the node itself."""
        return 2 * (others + 1) > len(self._hub.takers.keys() - {self._rank}) + 1

    async def _is_spare(self) -> bool:
        """Whether it is silent, no other node is on its way out or in, and what the others keep has its copies."""
        resting = await self._others(Rests())
        return self._hub.whole and all(resting) and self._silence >= ANSWER_WITHIN

    async def _others(self, question: Measure | Hears | Rests) -> list[object]:
        """What those of the other nodes say that answer."""
        asked = [self._answer(rank, question) for rank in self._hub.takers if rank != self._rank]
        return [answer for answer in await asyncio.gather(*asked) if answer is not None]

    async def _comes_back(self, until: float = 0.0) -> bool:
        """Whether it is heard before long, or `until` some time: one connection may be mended later than another."""
        heard, until = self._last, max(until, self._loop.time() + ANSWER_WITHIN)
        while self._loop.time() < until:
            if await self._answers(self._rank) or self._last > heard:
                return True
            await asyncio.sleep(_AGAIN)
        return False

    async def _answers(self, rank: int) -> bool:
        """Whether a node answers, the way that all are asked or on a connection of its own."""
        if await self._answer(rank, Measure()) is None and not await self._answers_itself(rank):
            return False
        if rank == self._rank:
            self.heard()
        return True

    async def _answers_itself(self, rank: int) -> bool:
        detours = self._hub.detours
        if detours is None or self._hub.fleet.alone or not self._hub.fleet.alive(rank):
            return False
        return await detours.reach(rank)

    async def _answer(self, rank: int, question: Measure | Hears | Rests) -> object:
        """What a node answers; None when it does not."""
        try:
            async with asyncio.timeout(ANSWER_WITHIN):
                return await self._hub.worker(rank).ask(question)
        except (casty.Unavailable, TimeoutError):
            return None
