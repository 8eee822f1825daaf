"""Text of one node's stream as lines: whole ones, and those that redraw themselves as progress bars do."""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass, field

_PARTS = re.compile(r"(\r\n|\r|\n|\x1b\[\d*A|\x1b\[\d*[KJ])")
_LONGEST = 64 * 1024
_KEPT_BARS = 50


@dataclass(slots=True)
class LineReader:
    """Cuts a stream into lines.

    Attributes
    ----------
    live
        What redraws itself, when the text has carriage returns.
    """

    live: LiveLines = field(default_factory=lambda: LiveLines())
    _rest: str = ""

    def feed(self, text: str) -> list[str]:
        """Take text; returns the plain lines that are complete, without their ends."""
        if self.live.drawing or "\r" in text:
            return self._feed_drawing(text)
        *lines, self._rest = (self._rest + text).split("\n")
        if len(self._rest) > _LONGEST:
            lines.append(self._rest)
            self._rest = ""
        return lines

    def end(self) -> list[str]:
        """Take the end of the stream; returns what was not a complete line."""
        self.live.settle()
        rest, self._rest = self._rest, ""
        return [rest] if rest else []

    def _feed_drawing(self, text: str) -> list[str]:
        plain: list[str] = []
        for part in _PARTS.split(self._rest + text):
            if self.live.drawing:
                self.live.take(part)
            elif part in ("\n", "\r\n"):
                plain.append(self._rest)
                self._rest = ""
                continue
            elif part == "\r":
                self.live.start(self._rest)
            else:
                self._rest = part
                continue
            self._rest = ""
        return plain


@dataclass(slots=True)
class LiveLines:
    """The rows that a stream redraws: a terminal as far as progress bars need one.

    Attributes
    ----------
    drawing
        Whether the text that comes next belongs here: from a carriage return up to the end of the last row.
    dropped
        How many finished rows were given up to stay small.
    """

    drawing: bool = False
    dropped: int = 0
    _rows: list[str] = field(default_factory=lambda: [""])
    _row: int = 0
    _column: int = 0
    _finished: deque[str] = field(default_factory=deque)

    def start(self, text: str) -> None:
        """A row that holds `text` and is now written again from its start."""
        self.drawing = True
        self._rows, self._row, self._column = [text], 0, 0

    def take(self, part: str) -> None:
        """One piece of text or one movement of the cursor."""
        if part in ("\n", "\r\n"):
            self._down()
        elif part == "\r":
            self._column = 0
        elif part.startswith("\x1b["):
            if part.endswith("A"):
                self._row = max(0, self._row - int(part[2:-1] or 1))
            elif part.endswith("K"):
                self._rows[self._row] = self._rows[self._row][: self._column]
        elif part:
            row = self._rows[self._row].ljust(self._column)
            self._rows[self._row] = row[: self._column] + part + row[self._column + len(part) :]
            self._column += len(part)

    def settle(self) -> None:
        """The rows stay as they are; text that follows is plain again."""
        if self.drawing:
            self._finished.extend(row for row in self._rows if row.strip())
            while len(self._finished) > _KEPT_BARS:
                self._finished.popleft()
                self.dropped += 1
        self.drawing = False
        self._rows, self._row, self._column = [""], 0, 0

    def shown(self) -> list[str]:
        """The rows, finished ones first."""
        rows = [row.rstrip() for row in (*self._finished, *self._rows)]
        return [row for row in rows if row]

    def _down(self) -> None:
        self._row += 1
        self._column = 0
        if self._row < len(self._rows):
            return
        if len(self._rows) == 1:
            self.settle()
            return
        self._rows.append("")
