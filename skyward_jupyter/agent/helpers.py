"""Threads that work beside user code in a slot.

They take no SIGINT. The system may hand a signal of the process to any thread that takes it, and the main thread then
learns of it a moment later, when it may have said already that no interrupt is on its way any more.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable


def helper(name: str, work: Callable[[], None]) -> threading.Thread:
    """Start a daemon thread of this name that does `work`."""

    def run() -> None:
        signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT,))
        work()

    thread = threading.Thread(target=run, name=name, daemon=True)
    thread.start()
    return thread
