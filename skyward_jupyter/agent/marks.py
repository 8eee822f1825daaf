"""Which slot a process comes from: a mark on the slot that all it starts inherits, whatever that leaves behind.

The mark is the limit on file locks, which Linux keeps for every process and has not looked at since version 2.4. It
stays through forks, new sessions, double forks, new programs and empty environments. Each template marks its slots with
a number of its own, so it finds none of another template, also where process ids mean something else. Where there is no
such limit (macOS), nothing is marked or found.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import sys

#: The limit's number in Linux; Python has no name for it.
_LIMIT = 10
#: Process ids have fewer bits than this; the template's number comes before them.
_PID_BITS = 22
_NUMBER_BITS = 40


class Marks:
    """The marks of one template."""

    def __init__(self) -> None:
        self._number = secrets.randbits(_NUMBER_BITS - 1) + 1

    def put(self, pid: int) -> None:
        """Mark a slot before it has started anything; where that is not allowed it has no mark."""
        if sys.platform == "linux":
            import resource

            with contextlib.suppress(OSError, ValueError):
                _, most = resource.prlimit(pid, _LIMIT)
                resource.prlimit(pid, _LIMIT, (self._number << _PID_BITS | pid, most))

    def found(self) -> dict[int, list[int]]:
        """Return the processes that run, by the slot they come from, which is one of them while it runs."""
        found: dict[int, list[int]] = {}
        if sys.platform == "linux":
            import resource

            for name in os.listdir("/proc"):
                if not name.isdecimal():
                    continue
                with contextlib.suppress(OSError):
                    value, _ = resource.prlimit(int(name), _LIMIT)
                    if value >> _PID_BITS == self._number and not _has_ended(name):
                        found.setdefault(value & (1 << _PID_BITS) - 1, []).append(int(name))
        return found


def _has_ended(pid: str) -> bool:
    """Whether only its entry is left, until its parent has asked how it ended."""
    with open(f"/proc/{pid}/stat", "rb") as file:
        return file.read().rpartition(b") ")[2][:1] in (b"Z", b"X")
