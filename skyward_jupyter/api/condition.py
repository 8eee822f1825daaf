"""A condition variable that costs little until somebody waits for it: a crowd of futures has one each."""

from __future__ import annotations

import threading
from collections import deque
from typing import Any


class Condition(threading.Condition):
    """`threading.Condition` around a lock of its own."""

    __slots__ = ("_lock", "_waiters")

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._waiters: Any = ()  # a deque, even an empty one, is larger than all the rest

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until notified, for `timeout` seconds at most; returns whether it was."""
        if not self._waiters:
            self._waiters = deque()
        return super().wait(timeout)

    # What the base class keeps as attributes of each condition.

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        """Take the lock."""
        return self._lock.acquire(blocking, timeout)

    def release(self) -> None:
        """Give it back."""
        self._lock.release()

    def _release_save(self) -> Any:
        return self._lock._release_save()  # type: ignore[attr-defined]

    def _acquire_restore(self, state: Any) -> None:
        self._lock._acquire_restore(state)  # type: ignore[attr-defined]

    def _is_owned(self) -> bool:
        return bool(self._lock._is_owned())  # type: ignore[attr-defined]
