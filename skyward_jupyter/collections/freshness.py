"""How long somebody waits for something, and whether what was answered is still worth anything.

An answer may have waited itself, for a process that stood still: what was asked long ago is asked for once more before
it is relied on.
"""

from __future__ import annotations

import time

#: Seconds after which what was answered may not be so any more.
FRESH = 1.0


def fresh(asked: float) -> bool:
    """Whether what was asked then (`time.monotonic`) is answered soon enough to be relied on."""
    return time.monotonic() - asked <= FRESH


class Allowance:
    """Up to `timeout` seconds from now on, None for any number of them."""

    def __init__(self, timeout: float | None) -> None:
        self._began = time.monotonic()
        self._until = None if timeout is None else self._began + timeout

    @property
    def left(self) -> float | None:
        """Seconds that are left; 0 when there are none."""
        return None if self._until is None else max(0.0, self._until - time.monotonic())

    @property
    def fresh(self) -> bool:
        """Whether it has begun just now."""
        return fresh(self._began)
