"""Which views of a widget somebody sees.

A view that is on screen says so every 20 seconds; one that has been silent for `LEASE` counts as gone, so that a closed
laptop does not keep numbers flowing.
"""

from __future__ import annotations

import time

LEASE = 60.0
"""Seconds for which a view counts as visible after it last said so."""


class Sights:
    """The views that are seen, by their names; each counts for `lease` seconds, or `LEASE`, after it last said so."""

    def __init__(self, lease: float | None = None) -> None:
        self._seen: dict[str, float] = {}
        self._lease = lease

    def __bool__(self) -> bool:
        """Whether any is seen."""
        return bool(self._seen)

    def __contains__(self, view: str) -> bool:
        return view in self._seen

    def clear(self) -> None:
        """None is seen any longer."""
        self._seen.clear()

    def see(self, view: str) -> None:
        """A view says that it is seen."""
        self._seen[view] = time.monotonic()

    def leave(self, view: str) -> bool:
        """A view is seen no longer; return whether it was."""
        return self._seen.pop(view, None) is not None

    def silent(self) -> list[str]:
        """The views that have not said for too long that they are seen."""
        now = time.monotonic()
        lease = LEASE if self._lease is None else self._lease
        return [view for view, seen in self._seen.copy().items() if now - seen > lease]
