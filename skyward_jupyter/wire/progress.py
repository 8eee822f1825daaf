"""Progress bars as numbers: how a node tells the kernel about the bars that its code draws.

They travel as a display with a MIME type of their own, so that whoever does not know it loses a bar and nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

MIME = "application/vnd.skyward.progress+json"

type State = Literal["running", "done", "stopped", "failed", "gone"]
_STATES: tuple[str, ...] = get_args(State.__value__)


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar of one node as it stands.

    Attributes
    ----------
    key
        The same for bars that belong together: of several nodes, and on one node of those that follow each other in
        one place.
    state
        ``running``; ``done``; ``stopped`` before its end; ``failed`` by an exception; ``gone`` when it shall not stay.
    n, total
        How far it is, and how far it goes if that is known.
    elapsed
        Seconds since it began.
    rate
        Steps per second at present; None when not known.
    label, unit, note
        What is written before and behind it, and what its steps are.
    scale, divisor
        Whether large numbers are written with prefixes, which are powers of `divisor`.
    """

    key: str
    state: State
    n: float
    total: float | None = None
    elapsed: float = 0.0
    rate: float | None = None
    label: str = ""
    unit: str = "it"
    note: str = ""
    scale: bool = False
    divisor: float = 1000.0


def bundle(bars: Iterable[Bar]) -> dict[str, object]:
    """The MIME bundle that tells of these bars."""
    return {MIME: [asdict(bar) for bar in bars]}


def bars_in(data: Mapping[str, object]) -> list[Bar]:
    """The bars that a MIME bundle tells of; none for a bundle of another kind, or what is no bar."""
    rows = data.get(MIME)
    return [Bar(**row) for row in rows if _is_bar(row)] if isinstance(rows, list) else []


def _is_bar(row: object) -> bool:
    """Return whether these are the attributes of a bar, each of its kind."""
    if not isinstance(row, dict) or row.get("state") not in _STATES or not {"key", "n"} <= row.keys() <= _KINDS.keys():
        return False
    return all(isinstance(value, _KINDS[name]) for name, value in row.items())


#: What each attribute of a bar may be; a bool is a number nowhere but in Python.
_KINDS: dict[str, Any] = {
    **dict.fromkeys(("key", "state", "label", "unit", "note"), str),
    **dict.fromkeys(("n", "elapsed", "divisor"), int | float),
    **dict.fromkeys(("total", "rate"), int | float | None),
    "scale": bool,
}
