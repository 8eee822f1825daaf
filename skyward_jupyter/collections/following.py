"""Hearing of the changes of a collection from every node of a pool, and from the kernel itself."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from casty import ActorFailed, Unavailable

from skyward_jupyter.collections.address import Kind
from skyward_jupyter.collections.engine import Engine
from skyward_jupyter.collections.steward import Follow, Followed
from skyward_jupyter.tasks import begin, promise

#: Seconds that a node may wait for news before it answers that there is none.
HOLD = 5.0
#: Seconds beyond that after which a node is taken for lost.
_SLACK = 3.0
_AGAIN = 0.2
#: Seconds that changes may wait for those of other nodes.
_GATHER = 0.02
#: Seconds that the nodes may take to listen.
_LISTEN_WITHIN = 2.0


@dataclass(frozen=True, slots=True)
class Changes:
    """What has changed since the last call.

    Attributes
    ----------
    keys
        The encoded keys (dict) or members (set) that were written or removed; None when anything may have changed, as
        after a `clear`, a burst, the loss of a node, and always for the other kinds.
    """

    keys: tuple[bytes, ...] | None


type _Ask = Callable[[int], Awaitable[Followed]]


class Following:
    """Listens to every node that the pool has, from now until it is stopped."""

    def __init__(
        self,
        engine: Engine,
        kind: Kind,
        name: str,
        turned: Callable[[], asyncio.Event],
        heard: Callable[[Changes], None],
    ) -> None:
        self._engine = engine
        self._kind = kind
        self._name = name
        self._turned = turned
        self._heard = heard
        self._listening: dict[int | None, asyncio.Task[None]] = {}
        self._began: dict[int | None, asyncio.Event] = {}
        self._news: set[bytes] | None = set()
        self._timer: asyncio.TimerHandle | None = None
        self._started = False
        self._keeping = begin(self._keep(), f"watching {name!r}")

    def stop(self) -> None:
        """Listen no more."""
        self._keeping.cancel()
        for task in self._listening.values():
            task.cancel()
        if self._timer is not None:
            self._timer.cancel()

    async def _keep(self) -> None:
        self._listen(None, self._here)
        self._adjust()
        begun = [promise(began.wait()) for began in self._began.values()]
        await asyncio.wait(begun, timeout=_LISTEN_WITHIN)
        for waiting in begun:
            waiting.cancel()
        self._started = True
        self._tell(None)
        while True:
            await self._turned().wait()
            if self._adjust():
                self._tell(None)

    def _adjust(self) -> bool:
        """Listen to the nodes that there are now; whether these are others than before."""
        members = set(self._engine.members())
        before = {rank for rank in self._listening if rank is not None}
        for rank in before - members:
            self._listening.pop(rank).cancel()
        for rank in members - before:
            self._listen(rank, lambda number, rank=rank: self._there(rank, number))  # type: ignore[misc]
        return members != before

    def _listen(self, rank: int | None, ask: _Ask) -> None:
        began = self._began[rank] = asyncio.Event()
        self._listening[rank] = begin(self._follow(ask, began), f"watching {self._name!r}")

    async def _here(self, number: int) -> Followed:
        return Followed(*await self._engine.room.journals.follow(self._kind, self._name, number, HOLD))

    async def _there(self, rank: int, number: int) -> Followed:
        steward = self._engine.steward(self._engine.members()[rank])
        async with asyncio.timeout(HOLD + _SLACK):
            return await steward.ask(Follow(self._kind, self._name, number, HOLD))

    async def _follow(self, ask: _Ask, began: asyncio.Event) -> None:
        number = 0
        while True:
            try:
                followed = await ask(number)
            except RuntimeError:
                return  # the pool was stopped
            except (TimeoutError, Unavailable, ActorFailed, KeyError):
                number = 0
                await asyncio.sleep(_AGAIN)
                continue
            if followed.number != number and (number or began.is_set()):
                self._tell(followed.keys)
            number = followed.number
            began.set()

    def _tell(self, keys: tuple[bytes, ...] | None) -> None:
        """Have it told a moment later, with what else comes until then."""
        if not self._started:
            return
        if keys is None or self._kind not in ("dict", "set"):
            self._news = None
        elif self._news is not None:
            self._news.update(keys)
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(_GATHER, self._tell_now)

    def _tell_now(self) -> None:
        news, self._news, self._timer = self._news, set(), None
        self._heard(Changes(None if news is None else tuple(news)))
