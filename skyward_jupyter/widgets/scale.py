"""Where things are in the picture of a timeline: what its rows share."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from skyward_jupyter.events import TaskTimes

WIDTH, LEFT, RIGHT = 800, 84, 16
TOP, BAR = 30, 8


@dataclass(frozen=True, slots=True)
class Scale:
    """From seconds since the epoch to places from left to right."""

    start: float
    span: float

    @staticmethod
    def of(times: Sequence[TaskTimes]) -> Scale:
        """The one on which all of these can be seen."""
        start = min(min(one.sent, one.began) for one in times)
        return Scale(start, max(max(one.ended for one in times) - start, 1e-6))

    @property
    def factor(self) -> float:
        """Places per second."""
        return (WIDTH - LEFT - RIGHT) / self.span

    def x(self, moment: float) -> float:
        """Where a moment is."""
        return LEFT + (moment - self.start) * self.factor


@dataclass(frozen=True, slots=True)
class Row:
    """A label and what is right of it; `drawn` gives its parts, given how far down it is."""

    label: str
    height: float
    drawn: Callable[[float], Iterable[str]]


def cross(x: float, y: float) -> str:
    """The mark of an error, as part of a path: it is seen without colours too."""
    return f"M{x - 3:.1f} {y - 3:.1f}l6 6m0-6l-6 6"


def spent(seconds: float) -> str:
    """A duration in the unit that suits it."""
    if seconds and seconds < 1e-3:
        return f"{seconds * 1e6:.3g} µs"
    return f"{seconds * 1e3:.3g} ms" if 0 < seconds < 1 else f"{seconds:.4g} s"
