"""Which task a thread works for: the one whose code started it, also when that has ended and others run.

The threads of an executor, of a pool of threads, and those of this project outlive many tasks and work for the one that
runs. What Python did not start works for that one as well.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

_HOME = "_skyward_home"
_SHARED = (
    *("concurrent.futures.thread", "multiprocessing.pool"),
    *("skyward_jupyter.agent.helpers", "skyward_jupyter.wire.called"),
)


def home() -> Any:
    """What `install` was given when the thread that asks was started; None when it works for whatever runs."""
    return getattr(threading.current_thread(), _HOME, None)


def install(here: Callable[[], object]) -> None:
    """Have each thread that is started from here on know what `here` gives where that is done."""
    start = threading.Thread.start

    def started(thread: threading.Thread) -> None:
        target = getattr(thread, "_target", None)
        if getattr(target, "__module__", "") not in _SHARED:
            setattr(thread, _HOME, here())
        start(thread)

    threading.Thread.start = started  # type: ignore[method-assign, assignment]
