"""Keeping a loop from sleeping while somebody blocks on it for a short call.

A thread that sleeps has to be woken, and its core with it; that takes longer than a trivial call needs for everything
else. The thread that blocks has nothing better to do for that long, so for a moment it asks again instead of sleeping.
"""

from __future__ import annotations

import asyncio
import os
import sys
from typing import Any

#: How long a loop stays awake for one wait (seconds): a trivial call's round trip on one machine.
AWAKE = 0.001
#: As a number of calls: nobody knows how many.
ANY_NUMBER = sys.maxsize


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


_CORES = _cores()


def leaves_a_core(calls: int) -> bool:
    """Whether so many calls side by side can do without the core of the thread that waits for them."""
    return _CORES > 1 and calls <= _CORES


class _Turn:
    """Comes again in each turn of the loop. An object: a closure that names itself would keep the task alive."""

    __slots__ = ("_loop", "_task", "_until")

    def __init__(self, loop: asyncio.AbstractEventLoop, task: asyncio.Future[Any]) -> None:
        self._loop = loop
        self._task = task
        self._until = loop.time() + AWAKE

    def __call__(self) -> None:
        if not self._task.done() and self._loop.time() < self._until:
            self._loop.call_soon(self)


def stay_awake(loop: asyncio.AbstractEventLoop, task: asyncio.Future[Any], calls: int = 1) -> None:
    """Keep `loop` from sleeping until `task` is done, for `AWAKE` seconds at most, if its calls leave it a core."""
    if leaves_a_core(calls):
        loop.call_soon(_Turn(loop, task))
