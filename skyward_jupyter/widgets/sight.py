"""Which views of a widget somebody sees: one that is on screen says so every 20 seconds, one that is silent is gone."""

from __future__ import annotations

import time
from collections.abc import Callable

LEASE = 60.0
"""Seconds for which a view counts as visible after it last said so."""


class Sights:
    """The views that are seen."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._seen: dict[str, float] = {}

    def __bool__(self) -> bool:
        """Whether any is seen."""
        now = self._clock()
        for view in [view for view, seen in self._seen.copy().items() if now - seen > LEASE]:
            self._seen.pop(view, None)
        return bool(self._seen)

    def see(self, view: str, visible: bool) -> None:
        """A view says whether it is seen."""
        if visible:
            self._seen[view] = self._clock()
        else:
            self._seen.pop(view, None)
