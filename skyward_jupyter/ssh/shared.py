"""Work that several machines need at once, and that is done once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Hashable

from skyward_jupyter.tasks import promise


class Shared[K: Hashable, V]:
    """Work by what it is for; whoever asks while it is under way waits for the same.

    It goes on when one of those gives up, and its result is not kept: whoever asks later has it done anew.
    """

    def __init__(self) -> None:
        self._under_way: dict[K, asyncio.Task[V]] = {}

    async def done(self, what: K, work: Callable[[], Coroutine[object, object, V]]) -> V:
        """Return what the work gives, or raise what it raises."""
        task = self._under_way.get(what)
        if task is None or task.get_loop() is not asyncio.get_running_loop():
            task = self._under_way[what] = promise(work())
            task.add_done_callback(lambda ended: self._ended(what, ended))
        return await asyncio.shield(task)

    def _ended(self, what: K, task: asyncio.Task[V]) -> None:
        if self._under_way.get(what) is task:
            del self._under_way[what]
