"""The word of a kernel that it is there, for the pages that show something of it.

While a page shows a view, the kernel says so every second, from the runtime's loop: also while a cell keeps the main
thread. A page that hears nothing knows that its kernel is gone, cut off, or runs something that lets no other thread
run. Nothing is said while no view is seen.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from skyward_jupyter.api.viewing.sight import Sights

#: Seconds between two beats; a page waits for a few of them.
EVERY = 1.0
#: For so many seconds a view that does not say that it is seen is told all the same: where the main thread is blocked,
#: what views say may not arrive.
LEASE = 600.0


class Beats:
    """The beats of one widget model. All but `see` is done on the runtime's loop.

    Parameters
    ----------
    beat
        Tells the pages; called on the runtime's loop.
    over
        Whether the pages expect nothing any more.
    """

    def __init__(self, beat: Callable[[], object], over: Callable[[], bool]) -> None:
        self._beat = beat
        self._over = over
        self._seen = Sights(LEASE)
        self._next: asyncio.TimerHandle | None = None

    def see(self, view: str, visible: bool) -> None:
        """A page's view is on a screen, or not any more; any thread."""
        from skyward_jupyter.runtime.bridge import runtime

        runtime().call_soon(lambda: self._look(view, visible))

    def stop(self) -> None:
        """Say no more."""
        self._seen.clear()

    def _look(self, view: str, visible: bool) -> None:
        if not visible:
            self._seen.leave(view)
            return
        self._seen.see(view)
        if self._next is not None:
            self._next.cancel()
        self._tick()  # at once: what was cut off is told first

    def _tick(self) -> None:
        from skyward_jupyter.runtime.bridge import runtime

        self._next = None
        for view in self._seen.silent():
            self._seen.leave(view)
        if self._seen and not self._over():
            self._beat()
            self._next = runtime().loop.call_later(EVERY, self._tick)
