"""The parts of one call on several nodes: when one fails, that is told while others still run, or it stops them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping

#: Seconds that a failure waits for others like it, and for the end of all, before it is told.
SOON = 0.25


class Siblings[E]:
    """Watches the parts until all have ended. Used on the runtime's loop.

    Parameters
    ----------
    nodes
        Where they run.
    tell
        Takes what has failed since it was last called, by node, and the nodes that still run.
    stop
        Has the others stop when one fails; None to let them run.

    Attributes
    ----------
    stopped
        The nodes that still ran when one had failed and the others were told to stop.
    """

    def __init__(
        self,
        nodes: Iterable[int],
        tell: Callable[[Mapping[int, E], list[int]], None] | None,
        stop: Callable[[], None] | None = None,
    ) -> None:
        self.stopped: frozenset[int] = frozenset()
        self.stopping = False
        self._running = set(nodes)
        self._tell = tell
        self._stop = stop
        self._failed: dict[int, E] = {}
        self._timer: asyncio.TimerHandle | None = None

    def ended(self, node: int, error: E | None) -> None:
        """One has ended; one that was told to stop is no failure of its own any more."""
        self._running.discard(node)
        if not self._running:
            self.close()
        elif error is not None and node not in self.stopped:
            self._fail(node, error)

    def close(self) -> None:
        """Tell nothing any more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _fail(self, node: int, error: E) -> None:
        self._failed[node] = error
        if self._stop is not None and not self.stopping:
            self.stopping, self.stopped = True, frozenset(self._running)
            self._stop()
        if self._tell is not None and self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(SOON, self._told, self._tell)

    def _told(self, tell: Callable[[Mapping[int, E], list[int]], None]) -> None:
        self._timer = None
        failed, self._failed = self._failed, {}
        if failed and self._running:
            tell(failed, sorted(self._running))
