"""The last lines of a run, numbered: a ring whose memory is bounded, whatever is written."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice

from skyward_jupyter.notebook.ranks import compact
from skyward_jupyter.notebook.tracebacks import plain

#: How many lines are kept, and how many characters.
LINES = 100_000
CHARACTERS = 16_000_000
#: Longer lines are cut.
LONGEST = 4_000
_BEGUN = 64_000


@dataclass(frozen=True, slots=True)
class Line:
    """One line: its `text`, and who wrote it.

    Attributes
    ----------
    ranks
        The nodes that wrote it, as ``0,2,4-6``.
    stream
        ``stdout`` or ``stderr``.
    """

    ranks: str
    stream: str
    text: str


class LogBook:
    """The lines of a run.

    Attributes
    ----------
    first, end
        The number of the oldest line that is kept, and of the next that comes.
    missing
        How many lines there were that never came here.
    """

    def __init__(self) -> None:
        self.first = 0
        self.missing = 0
        self._lines: deque[Line] = deque()
        self._size = 0
        self._begun: dict[tuple[int, str], str] = {}

    @property
    def size(self) -> int:
        """How many characters are kept."""
        return self._size

    @property
    def end(self) -> int:
        """The number of the line that comes next."""
        return self.first + len(self._lines)

    def add(self, ranks: Iterable[int], stream: str, text: str) -> None:
        """Keep what these nodes wrote: whole lines."""
        name = compact(ranks)
        for line in text.removesuffix("\n").split("\n"):
            self._add(Line(name, stream, _cut(line)))

    def feed(self, rank: int, stream: str, text: str) -> None:
        """Keep what one node wrote, as it comes: a line that is not complete waits for its end."""
        *lines, rest = (self._begun.pop((rank, stream), "") + text).split("\n")
        for line in lines:
            self._add(Line(str(rank), stream, _cut(line.rstrip("\r").rpartition("\r")[2])))
        if rest:
            self._begun[rank, stream] = rest.rpartition("\r")[2][-_BEGUN:]

    def close(self) -> None:
        """Nothing more comes: what is not complete is a line, too."""
        for rank, stream in list(self._begun):
            self.feed(rank, stream, "\n")

    def clear(self) -> None:
        """Forget the lines; numbers go on."""
        self.first = self.end
        self._lines.clear()
        self._begun.clear()
        self._size = 0

    def miss(self, lines: int) -> None:
        """So many lines were given up before they came here."""
        self.missing += lines

    def lines(self, start: int, stop: int) -> list[Line]:
        """The lines of these numbers, as far as they are kept."""
        return list(islice(self._lines, max(start - self.first, 0), max(stop - self.first, 0)))

    def tail(self, count: int) -> list[Line]:
        """The last lines."""
        return self.lines(self.end - count, self.end)

    def _add(self, line: Line) -> None:
        self._lines.append(line)
        self._size += len(line.text)
        while len(self._lines) > LINES or self._size > CHARACTERS:
            self._size -= len(self._lines.popleft().text)
            self.first += 1


def _cut(line: str) -> str:
    if "\x1b" in line:
        line = plain(line)
    return line if len(line) <= LONGEST else f"{line[:LONGEST]} … {len(line) - LONGEST:,} characters not shown"
