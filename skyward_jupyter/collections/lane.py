"""The writes of this process to one actor that makes each once, one after the other.

Those that come while one is on its way go together in the next, so that many at once cost little more than one. A write
that fails is told to all whose steps were in it, and may have been made.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from skyward_jupyter.collections.again import TRY, again
from skyward_jupyter.collections.patience import bounded
from skyward_jupyter.collections.writer import Mark, Writer

#: How many steps, and about how many bytes of them, go together; and for how long they are asked for (seconds).
_STEPS, _BYTES, _WITHIN = 512, 2**20, 20.0
#: The size of a step that goes alone.
ALONE = _BYTES + 1


@dataclass(frozen=True, slots=True, eq=False)
class _Waiting[S, F]:
    step: S
    size: int
    found: asyncio.Future[F | None]


class Owner(Protocol):
    """Whose writes these are."""

    writer: Writer

    def own(self, work: Coroutine[Any, Any, object]) -> None:
        """Do something that nobody waits for."""
        ...


class Lane[S, F]:
    """The writes to one actor, each of steps that may find something.

    Parameters
    ----------
    ask
        Asks for a write under its mark, and gives what its steps found, by their place in it; Unavailable when too few
        copies took it.
    within
        Seconds after which it is asked again.
    """

    def __init__(
        self, owner: Owner, ask: Callable[[tuple[S, ...], Mark], Awaitable[Mapping[int, F]]], within: float = TRY
    ) -> None:
        self._owner = owner
        self._ask = ask
        self._within = within
        self._waiting: deque[_Waiting[S, F]] = deque()
        self._busy = False

    async def write(self, step: S, size: int = 0) -> F | None:
        """Have a step of `size` bytes taken; give what it found."""
        if self._busy:
            waiting: _Waiting[S, F] = _Waiting(step, size, asyncio.get_running_loop().create_future())
            self._waiting.append(waiting)
            return await waiting.found
        self._busy = True
        try:
            return (await self._made((step,))).get(0)
        finally:
            self._follow()

    def _follow(self) -> None:
        if self._waiting:
            self._owner.own(self._drain())
        else:
            self._busy = False

    async def _drain(self) -> None:
        try:
            while taken := self._taken():
                await self._make(taken)
        finally:
            self._busy = False
            while self._waiting:  # this was cancelled
                self._waiting.popleft().found.cancel()

    async def _make(self, taken: list[_Waiting[S, F]]) -> None:
        try:
            async with bounded(_WITHIN):
                found = await self._made(tuple(one.step for one in taken))
        except Exception as error:
            for one in taken:
                if not one.found.done():
                    one.found.set_exception(error)
        else:
            for at, one in enumerate(taken):
                if not one.found.done():
                    one.found.set_result(found.get(at))

    def _taken(self) -> list[_Waiting[S, F]]:
        """The next that go together, without those that nobody waits for any more."""
        taken: list[_Waiting[S, F]] = []
        size = 0
        while self._waiting and len(taken) < _STEPS:
            if taken and size + self._waiting[0].size > _BYTES:
                break
            one = self._waiting.popleft()
            if not one.found.done():
                taken.append(one)
                size += one.size
        return taken

    async def _made(self, steps: tuple[S, ...]) -> Mapping[int, F]:
        mark = self._owner.writer.mark()
        return await again(lambda: self._ask(steps, mark), self._within)
