"""The end of a program: executors that are open take no more jobs then, and those they have run to their end.

A program ends when its main thread does. What is watched has a thread that is no daemon, for which Python waits; here
it is told that nothing more comes. A notebook's kernel is not waited for: it goes when it is told to.
"""

from __future__ import annotations

import threading
import weakref
from typing import Protocol


class Closing(Protocol):
    """Something that ends by itself once it is closed."""

    def close(self, *, cancel: bool) -> None:
        """Take no more."""
        ...


_open: weakref.WeakSet[Closing] = weakref.WeakSet()
_watching: threading.Thread | None = None


def close_in_the_end(one: Closing) -> None:
    """Close something when the program ends."""
    global _watching
    _open.add(one)
    if _watching is None or not _watching.is_alive():  # a forked child has none
        _watching = threading.Thread(target=_watch, name="skyward-end", daemon=False)
        _watching.start()


def _watch() -> None:
    threading.main_thread().join()
    for one in list(_open):
        one.close(cancel=False)
