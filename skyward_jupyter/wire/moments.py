"""Moments that the processes of one machine agree on, however its clock is set, and whether or not it sleeps.

A moment of an earlier boot, or of another machine, can only be compared by the clock on the wall.
"""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
import time
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

import psutil

#: Goes on while the machine sleeps; `CLOCK_MONOTONIC` does so where there is no clock by the first name.
_ALWAYS = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


@dataclass(frozen=True, slots=True)
class Moment:
    """A moment on four clocks.

    Attributes
    ----------
    wall
        Seconds since the epoch, as the clock was set then.
    boot
        Which start of which machine the other two count from; empty when nobody knows.
    ran, awake
        Seconds since then, with and without those that the machine slept.
    """

    wall: float = 0.0
    boot: str = ""
    ran: float = 0.0
    awake: float = 0.0

    def age(self) -> float:
        """Return how many seconds ago it was."""
        return max(0.0, now().ran - self.ran if self.boot == _boot() else time.time() - self.wall)

    def awake_for(self) -> float:
        """Return how many of these seconds the machine was awake."""
        return max(0.0, now().awake - self.awake if self.boot == _boot() else time.time() - self.wall)


def now() -> Moment:
    """Return this moment."""
    return Moment(time.time(), _boot(), time.clock_gettime(_ALWAYS), time.monotonic())


def note_end(record: str | Path, epoch: int) -> None:
    """Note beside the record of a pool, and as the record's own time, that who drove it in this epoch ends now."""
    os.utime(record)
    made, partial = tempfile.mkstemp(dir=Path(record).parent, prefix=".left-")
    try:
        with os.fdopen(made, "w") as file:
            json.dump({"epoch": epoch, **asdict(now())}, file)
        Path(partial).rename(beside(record))
    except BaseException:
        Path(partial).unlink(missing_ok=True)
        raise
    if not Path(record).exists():
        beside(record).unlink(missing_ok=True)


def noted_end(record: str | Path, epoch: int) -> Moment | None:
    """Return when it was that who drove a pool in this epoch ended; None where that was not noted."""
    with contextlib.suppress(OSError, ValueError, TypeError, AttributeError, KeyError):
        fields = json.loads(beside(record).read_text())
        if fields.pop("epoch") == epoch:
            return Moment(**fields)
    return None


def beside(record: str | Path) -> Path:
    """Return the file of that note."""
    return Path(record).with_suffix(".left")


@cache
def _boot() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return f"{psutil.boot_time():.0f}"
