"""Some lines of a terminal below what the program writes, redrawn in place.

The cursor stays where the program left it: the lines are drawn below it and erased without moving it, so text of the
program goes on exactly where it would have without them, unfinished lines and carriage returns included. What is
written through Python's own streams meanwhile appears above; their `write` is replaced while the region is open and is
as before afterwards. What another process writes to the terminal directly may leave rests of the region behind.

A process that is killed leaves nothing but the lines: no mode of the terminal is changed, and the cursor is not hidden.
"""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Callable, Sequence
from typing import TextIO, TypeGuard

from skyward_jupyter.terminal.mode import on_terminal
from skyward_jupyter.wire.locks import thread_rlock

#: Seconds between two drawings while the program writes: each line of it alone would cost a drawing.
GAP = 0.05

_SAVE, _RESTORE, _PLAIN = "\x1b7", "\x1b8", "\x1b[0m"
_NO_WRAP, _WRAP = "\x1b[?7l", "\x1b[?7h"
_ERASE = f"{_SAVE}{_PLAIN}\x1b[B\r\x1b[J{_RESTORE}"


class Region:
    """The lines below the cursor of one terminal.

    Any thread may call it. Where the terminal is gone it does nothing more.

    Attributes
    ----------
    shown
        Whether it is open.
    lock
        Held while the terminal is written to.
    """

    def __init__(self, stream: TextIO) -> None:
        self.shown = False
        self.lock = thread_rlock()
        self._stream = stream
        self._fd = stream.fileno()
        self._encoding = stream.encoding or "ascii"
        self._pid = os.getpid()
        self._hooks: dict[TextIO, _Hook] = {}
        self._lines: Sequence[str] = ()
        self._drawn = False
        self._painted = 0.0

    @property
    def size(self) -> os.terminal_size:
        """Columns and rows of the terminal."""
        try:
            size = os.get_terminal_size(self._fd)
        except OSError:
            return os.terminal_size((80, 24))
        return os.terminal_size((size.columns or 80, size.lines or 24))

    @property
    def unicode(self) -> bool:
        """Whether it can show more than ASCII."""
        return self._encoding.lower().replace("-", "").startswith("utf")

    @property
    def ours(self) -> bool:
        """Whether this process may draw: a forked one and one in the background of a shell may not."""
        try:
            return os.getpid() == self._pid and os.tcgetpgrp(self._fd) == os.getpgrp()
        except OSError:
            return os.getpid() == self._pid  # a terminal that is not this session's own has no such notion

    def paint(self, lines: Sequence[str]) -> None:
        """Show these lines, opening the region if it is closed; each fits the terminal's width."""
        with self.lock:
            if not self.shown:
                self._open()
            if not self._drawn or lines != self._lines:
                self._lines = lines
                self._draw()

    def close(self) -> None:
        """Erase the lines and leave the streams as they were."""
        with self.lock:
            if not self.shown:
                return
            self._erase()
            self.shown = False
            for hook in self._hooks.values():
                hook.remove()

    def pass_on(self, write: Callable[[str], int], stream: TextIO, text: str) -> int:
        """Write text of the program, above the lines."""
        if not self.shown or os.getpid() != self._pid:
            return write(text)
        with self.lock:
            self._erase()
            try:
                count = write(text)
                stream.flush()
            finally:
                self._draw_soon()
            return count

    def _open(self) -> None:
        for stream in (self._stream, sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__):
            if stream not in self._hooks and self._is_here(stream):
                self._hooks[stream] = _Hook(self, stream)
        for stream, hook in self._hooks.items():
            with contextlib.suppress(OSError, ValueError):
                stream.flush()
            hook.install()
        self.shown, self._drawn, self._lines = True, False, ()

    def _is_here(self, stream: TextIO | None) -> TypeGuard[TextIO]:
        """Whether `stream` writes to this terminal."""
        if stream is None or not hasattr(stream, "__dict__") or not on_terminal(stream):
            return False
        return os.fstat(stream.fileno()).st_rdev == os.fstat(self._fd).st_rdev

    def _draw_soon(self) -> None:
        """Draw now, or leave it to the next `paint` if the last time was just now."""
        if self.shown and time.monotonic() - self._painted > GAP:
            self._draw()

    def _draw(self) -> None:
        """Make room below the cursor, scrolling if need be, and write the lines there."""
        count = len(self._lines)
        if count:
            room = "\x1bD" * count + f"\x1b[{count}A"
            body = "".join(f"\r\n{line}{_PLAIN}\x1b[K" for line in self._lines)
            self._put(f"{room}{_SAVE}{_PLAIN}{_NO_WRAP}{body}\x1b[J{_WRAP}{_RESTORE}")
        self._drawn, self._painted = True, time.monotonic()

    def _erase(self) -> None:
        if self._drawn and self._lines:
            self._put(_ERASE)
        self._drawn = False

    def _put(self, text: str) -> None:
        data = text.encode(self._encoding, "replace")
        with contextlib.suppress(OSError):
            while data:
                data = data[os.write(self._fd, data) :]


class _Hook:
    """Stands for the `write` of one stream, which whoever has the stream goes on calling."""

    def __init__(self, region: Region, stream: TextIO) -> None:
        self._region = region
        self._stream = stream
        self._write = stream.write
        self._own = vars(stream).get("write")

    def __call__(self, text: str) -> int:
        return self._region.pass_on(self._write, self._stream, text)

    def install(self) -> None:
        """Take the stream's text."""
        if vars(self._stream).get("write") is self:
            return
        self._own = vars(self._stream).get("write")
        self._write = self._stream.write
        vars(self._stream)["write"] = self

    def remove(self) -> None:
        """Give it back, unless somebody else has hooked it since: then this only passes on."""
        if vars(self._stream).get("write") is not self:
            return
        if self._own is None:
            del vars(self._stream)["write"]
        else:
            vars(self._stream)["write"] = self._own
