"""`sys.stdout` and `sys.stderr` of user code on a node: all that they can do in a script, they can do here.

What is written belongs to the task that writes, as text or, through `buffer`, as bytes; both come out in their order,
and a character whose bytes are written one by one stays whole. The two cannot be closed or taken apart: the code that
comes after, of this task or another, has the same ones. In a forked child they write to the descriptors that it
inherited, whole lines at a time.
"""

from __future__ import annotations

import codecs
import contextlib
import io
import sys
from collections.abc import Callable
from typing import Any, Protocol

from skyward_jupyter.agent.showable import showable


class Sink(Protocol):
    """Where text goes: the outlet of a task."""

    def write(self, stream: str, text: str) -> None:
        """Take text of a stream."""

    def flush(self) -> None:
        """Send what was taken."""


class TaskBuffer(io.BufferedIOBase):
    """``sys.stdout.buffer``: takes bytes, which are UTF-8.

    Parameters
    ----------
    sink
        Gives the outlet of the code that asks.
    """

    mode = "wb"

    def __init__(self, name: str, fd: int, sink: Callable[[], Sink]) -> None:
        self.name = f"<{name}>"
        self._stream = name
        self._fd = fd
        self._sink = sink
        self._decoders: dict[int, codecs.IncrementalDecoder] = {}
        self.child: io.BufferedIOBase | None = None

    @property
    def raw(self) -> Any:
        """Itself: there is no other buffer below."""
        return self

    def write(self, data: Any) -> int:
        """Take bytes; returns how many."""
        if isinstance(data, str):
            raise TypeError("a bytes-like object is required, not 'str'")
        if self.child is not None:
            return self.child.write(data)
        given = bytes(data)
        sink = self._sink()
        sink.write(self._stream, self._decoder(sink).decode(given))
        return len(given)

    def settle(self) -> None:
        """Write what is left of a character that never became whole: the task of the caller ends."""
        sink = self._sink()
        if (known := self._decoders.get(id(sink))) is not None:
            sink.write(self._stream, known.decode(b"", final=True))

    def _decoder(self, sink: Sink) -> codecs.IncrementalDecoder:
        known = self._decoders.get(id(sink))
        if known is None:
            known = self._decoders[id(sink)] = codecs.getincrementaldecoder("utf-8")("replace")
        return known

    def flush(self) -> None:
        """Send what was written so far now; it would leave by itself a moment later."""
        (self.child or self._sink()).flush()

    def close(self) -> None:
        """Do nothing: whoever closes what he wrapped around it goes on, and so do others."""

    def detach(self) -> Any:
        """Itself."""
        return self

    def writable(self) -> bool:
        """True."""
        return True

    def isatty(self) -> bool:
        """False."""
        return False

    def fileno(self) -> int:
        """The descriptor that child processes inherit."""
        return self._fd


class TaskStream(io.TextIOWrapper):
    """``sys.stdout`` or ``sys.stderr``."""

    mode = "w"

    def __init__(self, name: str, fd: int, sink: Callable[[], Sink]) -> None:
        super().__init__(TaskBuffer(name, fd, sink), encoding="utf-8", errors="backslashreplace", write_through=True)
        self._stream = name
        self._sink = sink
        self._child: io.TextIOWrapper | None = None

    def leave(self) -> None:
        """Be the stream of a child that was forked from the process."""
        raw = io.FileIO(self.fileno(), "w", closefd=False)
        own = io.TextIOWrapper(io.BufferedWriter(raw), encoding="utf-8", errors="backslashreplace", line_buffering=True)
        self._child, self.detach().child = own, own.buffer

    @property
    def left(self) -> bool:
        """Whether this is a forked child."""
        return self._child is not None

    def write(self, text: str, /) -> int:
        """Take text; returns its length."""
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        if self._child is not None:
            return self._child.write(text)
        self._sink().write(self._stream, text if text.isascii() else showable(text))
        return len(text)

    def flush(self) -> None:
        """Send the text written so far now; it would leave by itself a moment later."""
        (self._child or self._sink()).flush()

    def close(self) -> None:
        """Do nothing: the task after this one writes here as well."""

    def detach(self) -> Any:
        """What bytes are written to; this one goes on as well."""
        return self.buffer

    def __reduce_ex__(self, protocol: object) -> tuple[Any, ...]:
        """Be, elsewhere, what is called so there."""
        return _called, (self._stream,)


def _called(name: str) -> Any:
    return getattr(sys, name)


def settle(stdout: TaskStream, stderr: TaskStream) -> None:
    """Have all that the ending task wrote: what is in wrappers of its own, and the rest of its bytes."""
    for ours, now in ((stdout, sys.stdout), (stderr, sys.stderr)):
        if now is not ours and isinstance(now, io.TextIOWrapper) and now.buffer is ours.buffer:
            with contextlib.suppress(ValueError):  # he took it apart, or closed it
                now.flush()
        ours.detach().settle()
