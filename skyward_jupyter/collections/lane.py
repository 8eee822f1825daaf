"""The writes of this process to one segment, one after the other.

Those that come while one is on its way go together in the next, so that many at once cost little more than one. A write
that fails is told to all whose steps were in it, and may have been made.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from casty import Ref, Unavailable

from skyward_jupyter.collections.cells import Cell, SegmentMessage, Step, Write
from skyward_jupyter.collections.patience import bounded
from skyward_jupyter.collections.served import TRY_PART, Room, again
from skyward_jupyter.collections.writer import Mark

#: How many steps, and about how many bytes of them, go together; and for how long they are asked for (seconds).
_STEPS, _BYTES, _WITHIN = 512, 2**20, 20.0


@dataclass(frozen=True, slots=True, eq=False)
class _Waiting:
    step: Step
    size: int
    found: asyncio.Future[Cell | None]


class Lane:
    """The writes to one segment.

    Parameters
    ----------
    segment
        The segment, as it is reached now.
    """

    def __init__(self, room: Room, segment: Callable[[], Ref[SegmentMessage]]) -> None:
        self._room = room
        self._segment = segment
        self._waiting: deque[_Waiting] = deque()
        self._busy = False

    async def write(self, step: Step, size: int = 0) -> Cell | None:
        """Have a step of `size` bytes taken; give what it found."""
        if self._busy:
            waiting = _Waiting(step, size, asyncio.get_running_loop().create_future())
            self._waiting.append(waiting)
            return await waiting.found
        self._busy = True
        try:
            return (await self._made((step,))).get(0)
        finally:
            self._follow()

    def _follow(self) -> None:
        if self._waiting:
            self._room.own(self._drain())
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

    async def _make(self, taken: list[_Waiting]) -> None:
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

    def _taken(self) -> list[_Waiting]:
        """The next that go together, without those that nobody waits for any more."""
        taken: list[_Waiting] = []
        size = 0
        while self._waiting and len(taken) < _STEPS and size < _BYTES:
            one = self._waiting.popleft()
            if not one.found.done():
                taken.append(one)
                size += one.size
        return taken

    async def _made(self, steps: tuple[Step, ...]) -> Mapping[int, Cell]:
        mark = self._room.writer.mark()
        return await again(lambda: self._ask(steps, mark), TRY_PART)

    async def _ask(self, steps: tuple[Step, ...], mark: Mark) -> Mapping[int, Cell]:
        kept = await self._segment().ask(Write(steps, mark))
        if not kept.enough:
            raise Unavailable("too few copies took it")
        return kept.found
