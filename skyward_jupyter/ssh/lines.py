"""Cuts what a command writes into lines.

A progress bar that draws itself again after a carriage return is one line: what it showed last. A line is bounded; what
is beyond that is cut off, and the line says so.
"""

from __future__ import annotations

#: The longest line (bytes).
LONGEST = 32 * 1024
_CUT = " … (cut off)"


class Lines:
    """The lines of one stream."""

    def __init__(self) -> None:
        self._open = b""

    def feed(self, data: bytes) -> list[str]:
        """Take what came; returns the lines that it ends."""
        *ended, rest = data.split(b"\n")
        lines = []
        for part in ended:
            lines.append(_text(_shown(self._open + part)))
            self._open = b""
        # One byte too many remembers that there was more.
        self._open = _shown(self._open + rest)[: LONGEST + 1]
        return lines

    def end(self) -> list[str]:
        """The stream has ended; returns the line that was open, if there is one."""
        rest, self._open = self._open, b""
        return [_text(rest)] if rest else []


def _shown(line: bytes) -> bytes:
    """What a line shows; a carriage return at its end covers nothing yet, and may be part of the line's end."""
    return line[line.rstrip(b"\r").rfind(b"\r") + 1 :]


def _text(line: bytes) -> str:
    cut = _CUT if len(line) > LONGEST else ""
    return line[:LONGEST].rstrip(b"\r").decode(errors="replace") + cut
