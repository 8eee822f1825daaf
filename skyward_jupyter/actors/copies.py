"""Whether what collections keep has its copies again after nodes were lost, and what is done until then.

Three of the data nodes keep each key, or all of a smaller pool. A data node that is lost while copies are still being
made for the one before is replaced after that, so that no two of them are empty at once. It waits for some seconds at
most, and not at all where no collection keeps anything. When as many of them are lost together as keep a key, or one
has waited for long, something may be gone: every engine is told, for the next operation on each collection to say so.
Any other node is replaced at once.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection, Sequence
from typing import cast

import casty
from casty import Askable

from skyward_jupyter.actors.hub import Hub
from skyward_jupyter.collections.data_nodes import is_data_node
from skyward_jupyter.tasks import begin
from skyward_jupyter.wire.messages import Bereave, Keeps, Life, Loss, Rests

#: How many nodes keep each key.
COPIES = 3
#: The longest a node waits to be replaced (seconds); how often it is looked whether it may be; and how many looks in a
#: row must find every node at rest.
HELD, LOOK, LOOKS = 60.0, 0.5, 3
_ANSWER_WITHIN = 2.0


class Copies:
    """Keeps count for one pool.

    Parameters
    ----------
    start
        Starts a node in the place of a lost one.
    """

    def __init__(self, hub: Hub, start: Callable[[tuple[int, ...]], None]) -> None:
        self._hub = hub
        self._start = start
        self._lacking: dict[int, None] = {}
        self._held: dict[int, float] = {}
        self._watch: asyncio.Task[None] | None = None

    def lost(self, rank: int, ready: Collection[int]) -> None:
        """Replace a node that was ready, at once or as soon as that takes nothing along; others are `ready`."""
        if self._hub.fleet.alone or not is_data_node(rank):
            self._start((rank,))
            return
        self._lacking[rank] = None
        if len(self._lacking) >= min(COPIES, sum(map(is_data_node, ready)) + len(self._lacking)):
            self._bereave(len(ready))
        if self._hub.loss is not None or len(self._lacking) == 1:
            self._start((rank, *self._release()))
        else:
            self._held[rank] = asyncio.get_running_loop().time() + HELD
        if self._watch is None or self._watch.done():
            self._watch = begin(self._look(), "waiting until all that collections keep has its copies")

    @property
    def lacking(self) -> tuple[int, ...]:
        """The nodes that were lost whose copies are not known to have been made again."""
        return tuple(self._lacking)

    def forget(self, rank: int) -> None:
        """A node is not replaced."""
        self._held.pop(rank, None)
        self._lacking.pop(rank, None)

    def close(self) -> None:
        """The pool is over."""
        if self._watch is not None:
            self._watch.cancel()

    def _release(self) -> tuple[int, ...]:
        held, self._held = tuple(self._held), {}
        return held

    def _bereave(self, left: int) -> None:
        hub = self._hub
        hub.loss = Loss(time.time(), tuple(sorted(self._lacking)), left, hub.losses.names)
        hub.losses.add(hub.loss)
        for rank in list(hub.takers):
            if rank not in self._lacking:
                try:
                    hub.worker(rank).tell(Bereave(hub.loss))
                except casty.Unavailable:
                    continue  # it is told when it is connected to

    async def _look(self) -> None:
        """Until everything has its copies."""
        calm = 0
        while self._lacking:
            await asyncio.sleep(LOOK)
            calm = calm + 1 if await self._are_at_rest() else 0
            if calm >= LOOKS or (self._held and await self._keep_nothing()):
                self._made()
            calm = 0 if self._next() else calm

    async def _are_at_rest(self) -> bool:
        """Whether every data node has seen those that were replaced, and says that all it keeps has its copies."""
        replaced = self._lacking.keys() - self._held.keys()
        if not replaced <= self._hub.takers.keys():
            return False
        lives = await self._ask(Life(), sorted(replaced))
        told = await self._ask(Rests(tuple(life for life in lives.values() if life)))
        return all(lives.values()) and all(told.values())

    async def _keep_nothing(self) -> bool:
        """Whether every data node says that it keeps nothing. One that does not answer may keep something."""
        told = await self._ask(Keeps())
        return bool(told) and all(keeps is False for keeps in told.values())

    def _made(self) -> None:
        """What the nodes keep has its copies, but for those that wait to be replaced."""
        self._lacking = dict.fromkeys(self._held)
        if not self._lacking:
            self._hub.loss = None

    def _next(self) -> bool:
        """Replace one that waited, if it may be or has waited for long; returns whether there was one."""
        now = asyncio.get_running_loop().time()
        for rank, until in self._held.items():
            if (late := until < now) or self._lacking.keys() == self._held.keys():
                del self._held[rank]
                if late and self._hub.loss is None:
                    # Of the nodes that keep a key two are empty now, and may agree that there is nothing.
                    self._bereave(len(self._hub.takers))
                self._start((rank,))
                return True
        return False

    async def _ask[T](self, question: Askable[T], ranks: Sequence[int] | None = None) -> dict[int, T | None]:
        """What data nodes say, all of them or some; None of those that do not answer."""

        async def answer(rank: int) -> T | None:
            try:
                async with asyncio.timeout(_ANSWER_WITHIN):
                    return cast(T, await self._hub.worker(rank).ask(question))
            except (casty.Unavailable, TimeoutError):
                return None

        asked = [rank for rank in self._hub.takers if is_data_node(rank)] if ranks is None else ranks
        return dict(zip(asked, await asyncio.gather(*map(answer, asked)), strict=True))
