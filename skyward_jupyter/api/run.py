"""A call on several nodes, while it runs: how `%%sky` cells and broadcasts are watched and stopped."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from weakref import WeakMethod

from skyward_jupyter.actors.desk import TaskEntry
from skyward_jupyter.actors.dispatch import Dispatch
from skyward_jupyter.wire.events import Outcome, TaskEvent


class Launched:
    """What `ComputePool.launch` gives. Used on the runtime's loop."""

    def __init__(self, dispatch: Dispatch, entries: Sequence[TaskEntry]) -> None:
        self._dispatch = dispatch
        self._entries = entries

    @property
    def run(self) -> int:
        """Its number among the runs of the pool."""
        return self._entries[0].run

    async def outcomes(self) -> list[Outcome]:
        """How it ended on each node, in the order the nodes were named; errors are values here.

        Cancelled, it interrupts the code and waits until it has stopped.
        """
        return await self._dispatch.ended(self._entries)

    def each(self, call: Callable[[int, Outcome], None]) -> None:
        """Call with each part as it ends: its place among the nodes that were named, and how it ended."""
        for place, entry in enumerate(self._entries):
            entry.outcome.add_done_callback(partial(_told, call, place))

    def outlive(self, hear: Callable[[TaskEvent], None]) -> None:
        """Call this method, as long as its object is there, with what threads and children write after the end."""
        for entry in self._entries:
            entry.late = WeakMethod(hear)

    def interrupt(self) -> None:
        """Raise KeyboardInterrupt in the running code; what ignores it for 5 s loses its slot."""
        self._dispatch.stop(self._entries, "interrupt")

    def kill(self) -> None:
        """End the slots it runs in, at once."""
        self._dispatch.stop(self._entries, "kill")


def _told(call: Callable[[int, Outcome], None], place: int, outcome: asyncio.Future[Outcome]) -> None:
    if not outcome.cancelled():
        call(place, outcome.result())
