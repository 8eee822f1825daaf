"""What a running task reports, as the kernel hands it on, and how each part of a task ended."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum


class Kind(IntEnum):
    """What a numbered event of a task carries.

    ``YIELDS`` are several yields together. ``CODE`` says that the node lacks the function: send the task again.
    ``BACK`` says that the task had not begun and was given back: it may run elsewhere. ``WANT`` asks for more of an
    input stream. ``DROPPED`` stands where output was that the node could not keep. ``NAMED``, of no task, says that the
    node uses a collection for the first time. Three never leave the node: ``CALM``,
    the slot has seen every signal that was sent before; ``MARK``, what went through its pipes so far comes before
    what it sends next; and ``ANSWER``, what the session says to a question of its agent.
    """

    CODE = 0
    OUTPUT = 1
    DISPLAY = 2
    CLEAR = 3
    YIELD = 4
    VALUE = 5
    ERROR = 6
    BACK = 7
    WANT = 8
    DROPPED = 9
    CALM = 10
    MARK = 11
    YIELDS = 12
    NAMED = 13
    ANSWER = 14

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


@dataclass(frozen=True, slots=True)
class Dropped:
    """Output of a task that nobody will see: the node kept as much as it may, and this was before it.

    Attributes
    ----------
    size
        Bytes of text.
    displays
        Rich results.
    """

    node: int
    size: int
    displays: int = 0

    def __str__(self) -> str:
        parts = [_amount(self.size) + " of output"] if self.size or not self.displays else []
        if self.displays:
            parts.append("1 display" if self.displays == 1 else f"{self.displays:,} displays")
        verb = "was" if self.displays == 1 and not self.size else "were"
        return f"{' and '.join(parts)} {verb} dropped: the reader was slower than the node"


type TaskEvent = Output | Display | Clear | Dropped


def _amount(size: int) -> str:
    for unit, factor in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if size >= factor:
            return f"{size / factor:.1f} {unit}"
    return f"{size} bytes"


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
