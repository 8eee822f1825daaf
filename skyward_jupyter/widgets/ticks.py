"""Round moments of the local clock on the axis of a picture."""

from __future__ import annotations

import math
import time

#: From a second on, clocks do not count in tens.
_STEPS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400)
_MINUTE, _DAY = 60, 86400


def step_of(seconds: float, most: int) -> float:
    """The seconds between two of at most `most` ticks on `seconds`."""
    least = max(seconds / most, 1e-6)
    if least <= 0.5:
        size = 10.0 ** math.floor(math.log10(least))
        return float(f"{next(step * size for step in (1, 2, 5, 10) if step * size >= least * (1 - 1e-9)):.1g}")
    return next((float(step) for step in _STEPS if step >= least), math.ceil(least / _DAY) * float(_DAY))


def ticks(start: float, seconds: float, most: int) -> list[tuple[float, str]]:
    """The moments of the ticks from `start` on, and what the clock shows then."""
    step = step_of(seconds, most)
    # Local clocks differ from the epoch's by whole minutes; round is what is round on them.
    away = time.localtime(start).tm_gmtoff
    first = math.ceil((start + away) / step - 1e-6)
    last = math.floor((start + away + seconds) / step + 1e-6)
    moments = [place * step - away for place in range(first, last + 1)]
    return [(moment, clock(moment, step)) for moment in moments]


def clock(moment: float, step: float) -> str:
    """A moment as the local clock shows it, as exactly as a step asks for."""
    digits = min(6, math.ceil(-math.log10(step) - 1e-9)) if step < 1 else 0
    rounded = round(moment, digits)
    whole = math.floor(rounded + 1e-9)
    if step >= _DAY:
        return time.strftime("%d %b", time.localtime(whole)).lstrip("0")
    shown = time.strftime("%H:%M" if step >= _MINUTE else "%H:%M:%S", time.localtime(whole))
    return f"{shown}{rounded - whole:.{digits}f}".replace(f"{shown}0.", f"{shown}.") if digits else shown
