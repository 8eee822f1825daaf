"""What a running task reports, as the kernel hands it on, and how each part of a task ended."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum


class Kind(IntEnum):
    """What a numbered event of a task carries.

    ``CODE`` says that the node lacks the function: send the task again. ``BACK`` says that the task had not begun and
    was given back: it may run elsewhere. ``CALM`` never leaves the node: the slot has seen every signal sent before.
    """

    CODE = 0
    OUTPUT = 1
    DISPLAY = 2
    CLEAR = 3
    YIELD = 4
    VALUE = 5
    ERROR = 6
    BACK = 7
    CALM = 9

    @property
    def final(self) -> bool:
        """Whether the task ends with it."""
        return Kind.VALUE <= self <= Kind.ERROR


@dataclass(frozen=True, slots=True)
class Output:
    """Text that a task wrote.

    Attributes
    ----------
    node
        Rank of the node.
    stream
        ``"stdout"`` or ``"stderr"``.
    """

    node: int
    stream: str
    text: str


@dataclass(frozen=True, slots=True)
class Display:
    """A rich result: a MIME bundle as Jupyter's messaging protocol has it."""

    node: int
    data: Mapping[str, object]
    metadata: Mapping[str, object]
    transient: Mapping[str, object]
    update: bool = False


@dataclass(frozen=True, slots=True)
class Clear:
    """``clear_output`` of a task."""

    node: int
    wait: bool = False


type TaskEvent = Output | Display | Clear


@dataclass(frozen=True, slots=True)
class Success:
    """A task that returned."""

    node: int
    value: object
    seconds: float


@dataclass(frozen=True, slots=True)
class Failure:
    """A task that raised, died, was lost or was stopped."""

    node: int
    error: BaseException
    seconds: float


type Outcome = Success | Failure
