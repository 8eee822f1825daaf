"""A pty with a screen behind it."""

from __future__ import annotations

import contextlib
import fcntl
import os
import struct
import termios
from typing import Any

import pyte  # type: ignore[import-untyped]

ROWS, COLUMNS = 8, 30


class Terminal:
    """A pty with a screen behind it, and a stream of the program's before it."""

    def __init__(self, rows: int = ROWS, columns: int = COLUMNS) -> None:
        self.ours, theirs = os.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("4H", rows, columns, 0, 0))
        self.stream = open(theirs, "w", encoding="utf-8")  # noqa: SIM115
        self.screen: Any = pyte.Screen(columns, rows)
        self._parser: Any = pyte.ByteStream(self.screen)
        os.set_blocking(self.ours, False)

    @property
    def lines(self) -> list[str]:
        """What is on the screen, without the empty lines at its end."""
        with contextlib.suppress(BlockingIOError):
            while data := os.read(self.ours, 65536):
                self._parser.feed(data)
        return "\n".join(line.rstrip() for line in self.screen.display).rstrip().split("\n")

    def print(self, *what: object, end: str = "\n") -> None:
        """Write as the program does."""
        print(*what, end=end, file=self.stream)

    def close(self) -> None:
        self.stream.close()
        os.close(self.ours)
