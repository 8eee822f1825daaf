"""The last that a node said of itself and that its tasks wrote, as far as it came here. It is bounded."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass

#: Characters kept of one node, and of one piece that came.
BOUND = 200_000
_PIECE = 50_000
#: Pieces kept of one node.
_PIECES = 5_000


@dataclass(frozen=True, slots=True)
class TailLine:
    """One line: its `text`, when it came, and from whom.

    Attributes
    ----------
    at
        When it ended, in seconds since the epoch.
    source
        Who wrote it: ``node``, ``stdout`` or ``stderr``.
    """

    at: float
    source: str
    text: str


class Tail:
    """What came of one node, oldest first."""

    def __init__(self) -> None:
        self._pieces: deque[tuple[float, str, str]] = deque(maxlen=_PIECES)
        self._size = 0

    def add(self, source: str, text: str) -> None:
        """Keep a piece of output; of a large one, its end."""
        text = text[-_PIECE:]
        if len(self._pieces) == _PIECES:
            self._size -= len(self._pieces[0][2])
        self._pieces.append((time.time(), source, text))
        self._size += len(text)
        while self._size > BOUND:
            self._size -= len(self._pieces.popleft()[2])

    def lines(self, most: int) -> list[TailLine]:
        """The last lines, at most so many; of a line that redraws itself, its last state."""
        found: list[TailLine] = []
        unfinished: dict[str, str] = {}
        at = 0.0
        for at, source, text in list(self._pieces):
            *whole, rest = (unfinished.pop(source, "") + text).split("\n")
            found += [TailLine(at, source, _settled(line)) for line in whole]
            if rest:
                unfinished[source] = rest
        found += [TailLine(at, source, _settled(rest)) for source, rest in unfinished.items()]
        return [line for line in found if line.text.strip()][-most:]


def _settled(line: str) -> str:
    return line.rstrip("\r").rpartition("\r")[2]
