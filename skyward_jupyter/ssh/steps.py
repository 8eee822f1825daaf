"""The steps that make a machine ready, as they are told to whoever shows them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Step:
    """Word of one step on one machine.

    Attributes
    ----------
    machine
        Its name.
    name
        ``look``, ``upload``, ``wait``, ``apt``, ``uv``, ``python``, ``venv``, ``packages``, ``check`` or ``files``.
    state
        ``started``, ``line`` (it wrote something), ``done`` or ``failed``.
    text
        The line; of a failed step, why.
    seconds
        How long it took, once it is over.
    """

    machine: str
    name: str
    state: Literal["started", "line", "done", "failed"]
    text: str = ""
    seconds: float = 0.0


type OnStep = Callable[[Step], None]
