"""What the system has no room for just now: in words, and tried again later and later until it has."""

from __future__ import annotations

import errno
import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

#: The first pause before another try, and the longest (seconds); each is twice the one before.
FIRST, LONGEST = 0.1, 5.0
#: The status that an agent ends with which lacked something at its start.
LACKING = 75

_LACKS = {
    errno.EAGAIN: "no more processes are allowed there: the limit of its container or user is reached",
    errno.ENOMEM: "no memory is left for another process",
    errno.EMFILE: "no more files may be open there",
    errno.ENFILE: "no more files may be open there",
}


def lack(error: BaseException) -> str:
    """Return what the system lacks, where that is why `error` came; empty where it is not."""
    if isinstance(error, OSError) and error.errno in _LACKS:
        return _LACKS[error.errno]
    if isinstance(error, MemoryError):
        return _LACKS[errno.ENOMEM]
    return lack_of_threads(1)


def lack_of_threads(count: int) -> str:
    """Return that the system has no room for so many more threads; empty where it has.

    Some of what fails without them says so only in words, or waits for ever.
    """
    over = threading.Event()
    started: list[threading.Thread] = []
    try:
        for _ in range(count):
            thread = threading.Thread(target=over.wait, daemon=True)
            thread.start()
            started.append(thread)
    except RuntimeError:
        return _LACKS[errno.EAGAIN]
    finally:
        over.set()
        for thread in started:
            thread.join()
    return ""


@dataclass(slots=True)
class _Try:
    at: float
    pause: float
    go: Callable[[], object]


type Key = tuple[object, ...]


class Again:
    """What is to be tried again, by what it is for."""

    def __init__(self) -> None:
        self._tries: dict[Key, _Try] = {}

    def later(self, key: Key, go: Callable[[], object]) -> None:
        """Call `go` after a pause; it is told `later` again, or `done` once it has come about."""
        former = self._tries.get(key)
        pause = FIRST if former is None else min(LONGEST, 2 * former.pause)
        self._tries[key] = _Try(time.monotonic() + pause, pause, go)

    def done(self, key: Key) -> None:
        """It has come about; the next time the pauses are short again."""
        self._tries.pop(key, None)

    def drop(self, *first: object) -> list[Key]:
        """Try nothing more whose key begins with `first`; returns the keys of what waited for its next try."""
        found = {key: self._tries.pop(key) for key in list(self._tries) if key[: len(first)] == first}
        return [key for key, one in found.items() if one.at != math.inf]

    def wait(self) -> float | None:
        """Seconds until the next try; None when nothing is to be tried."""
        at = min((one.at for one in self._tries.values()), default=math.inf)
        return None if at == math.inf else max(0.0, at - time.monotonic())

    def due(self) -> list[Callable[[], object]]:
        """What is to be called now, once."""
        now = time.monotonic()
        found = [one for one in self._tries.values() if one.at <= now]
        for one in found:
            one.at = math.inf
        return [one.go for one in found]
