"""How slots end: as programs do, within seconds.

A slot that is to end is interrupted, runs what its code has for the end of a program, and is killed when that takes too
long. What it started is told to end once it has, and killed a moment later: what removes shared memory and temporary
files behind a program (the trackers of multiprocessing and joblib) needs that moment, and ends by itself. On Linux that
is all it started, also what has left its group or its session; see `skyward_jupyter.agent.marks`.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass

from skyward_jupyter.agent.marks import Marks

#: Seconds that a slot may take to end, and those that are left of what it started after it. Together less than a kernel
#: waits for the end of a node.
SLOT_WITHIN = 5.0
REST_WITHIN = 3.0
#: Seconds that the system may take to end what was killed.
KILLED_WITHIN = 2.0
#: How often it is looked whether what is left has ended: nobody is told (seconds).
LOOK_EVERY = 0.02
_PR_SET_CHILD_SUBREAPER = 36


def adopt_orphans() -> None:
    """Be the parent of what slots leave behind (Linux): else that is a first process, which may not see it end."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1)


@dataclass(slots=True)
class _Ending:
    until: float
    exited: bool = False
    killed: bool = False


class Endings:
    """The slots that are ending, by their process ids, which are those of their groups too."""

    def __init__(self, marks: Marks) -> None:
        self._marks = marks
        self._known: dict[int, _Ending] = {}

    def __bool__(self) -> bool:
        return bool(self._known)

    def knows(self, pid: int) -> bool:
        """Whether this is a slot that is ending."""
        return pid in self._known

    def begin(self, pid: int) -> None:
        """Have a slot end."""
        if pid not in self._known:
            self._known[pid] = _Ending(time.monotonic() + SLOT_WITHIN)
            _signal(pid, signal.SIGINT)

    def exited(self, pid: int) -> None:
        """A slot's process has ended, whether it was to or not: have what it started end."""
        if pid in self._known and self._known[pid].exited:
            return
        self._known[pid] = _Ending(time.monotonic() + REST_WITHIN, exited=True)
        _signal(pid, signal.SIGTERM)
        for each in self._marks.found().get(pid, ()):
            with contextlib.suppress(ProcessLookupError):
                if os.getpgid(each) != pid:
                    tell([each], signal.SIGTERM)

    def wait(self) -> float | None:
        """Seconds until `over` has something to do; None for as long as no slot ends."""
        if not self._known:
            return None
        if any(it.exited for it in self._known.values()):
            return LOOK_EVERY
        return max(0.0, min(it.until for it in self._known.values()) - time.monotonic())

    def over(self) -> list[int]:
        """The slots of which nothing is left any more; those whose time is over are killed."""
        now = time.monotonic()
        gone = []
        marked = self._marks.found() if any(it.exited for it in self._known.values()) else {}
        for pid, it in list(self._known.items()):
            if it.exited:
                if self._is_over(pid, it, marked.get(pid, []), now):
                    gone.append(pid)
                    del self._known[pid]
            elif now >= it.until:
                tell([pid], signal.SIGKILL)
                it.until = now + SLOT_WITHIN  # it exits as soon as the system lets it
        return gone

    def _is_over(self, pid: int, it: _Ending, left: list[int], now: float) -> bool:
        """Whether nothing is left of a slot that has ended; what is left is killed when its time is over."""
        if not left and not _is_there(pid):
            return True
        if now >= it.until and it.killed:
            return True
        if now >= it.until:
            it.killed, it.until = True, now + KILLED_WITHIN
        if it.killed:
            kill_group(pid)
            tell(left, signal.SIGKILL)
        return False


def tell(pids: Iterable[int], number: signal.Signals) -> None:
    """Send a signal to processes that may be gone, or another user's."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, number)


def _signal(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, number)


def _is_there(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def kill_group(pid: int) -> None:
    """Kill what a process that was launched has left of its group."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)
