"""Writing what nodes and pools say to this process's own streams, whatever these are.

It does not fail the work that it tells of. What the stream's encoding cannot show is escaped. A stream that is closed,
or is not there, takes nothing; one that cannot be written to is told of once. Where nobody reads any more, as behind
``python s.py | head -1``, a program is to end without a word: whoever waits for a pool does so inside `heard`.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import select
import sys
import threading
from types import TracebackType
from typing import TextIO

from skyward_jupyter.runtime.shells import ipython_shell

#: What a program ends with when nobody reads what it writes.
UNREAD_STATUS = 1


class _State:
    """What is known of the streams: whether one lost its reader, and which were told of."""

    unread = False
    told: frozenset[str] = frozenset()


def put(stream: str, text: str, *, flush: bool = True) -> bool:
    """Write text to ``stdout`` or ``stderr``; returns False when the program is to end because nobody reads it."""
    target: TextIO | None = sys.stderr if stream == "stderr" else sys.stdout
    if target is None or getattr(target, "closed", False):
        return True
    try:
        _write(target, text)
        if flush:
            target.flush()
    except BrokenPipeError:
        _State.unread = True
        silence(target)
    except OSError as error:
        _tell(stream, error)
    return not (_State.unread and _is_program())


def _write(target: TextIO, text: str) -> None:
    try:
        target.write(text)
    except UnicodeEncodeError:
        target.write(fitting(text, target))


def fitting(text: str, target: TextIO) -> str:
    """`text` with what the encoding of `target` cannot show escaped."""
    encoding = getattr(target, "encoding", None) or "ascii"
    return text.encode(encoding, "backslashreplace").decode(encoding)


def _tell(stream: str, error: OSError) -> None:
    """Say once that a stream takes nothing."""
    if stream in _State.told:
        return
    _State.told |= {stream}
    if stream == "stdout":
        put("stderr", f"what the nodes write is not shown: {stream} cannot be written to ({error.strerror or error})\n")


def silence(target: TextIO) -> None:
    """Have what is still written to a stream go nowhere, also at the end of the process."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        try:
            os.dup2(nowhere, target.fileno())
        finally:
            os.close(nowhere)


class _Heard:
    """Ends the program quietly after a block during which its output lost its reader.

    That is raised as SystemExit, in the main thread of a program: not in a notebook or a prompt.
    """

    def __enter__(self) -> None:
        return

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        if _State.unread and _may_end():
            raise SystemExit(UNREAD_STATUS) from None


heard = _Heard()


def _hook(kind: type[BaseException], error: BaseException, tb: TracebackType | None) -> None:
    """Say nothing of a program's own ``print`` that nobody reads, as nothing is said of what its nodes print."""
    streams = [stream for stream in (sys.stdout, sys.stderr) if stream is not None and _lost_reader(stream)]
    if not isinstance(error, BrokenPipeError) or not streams:
        _former_hook(kind, error, tb)
        return
    for stream in streams:
        silence(stream)


def _may_end() -> bool:
    return threading.current_thread() is threading.main_thread() and _is_program()


def _is_program() -> bool:
    """Whether there is no notebook and no prompt that goes on whatever becomes of a cell."""
    return not hasattr(sys, "ps1") and ipython_shell() is None


def _lost_reader(stream: TextIO) -> bool:
    try:
        poll = select.poll()
        poll.register(stream.fileno(), 0)
        return any(event & select.POLLERR for _, event in poll.poll(0))
    except (AttributeError, OSError, ValueError):
        return False


def _at_end() -> None:
    """Write what is left, where the interpreter itself would complain that nobody reads it."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except BrokenPipeError:
            silence(stream)
        except Exception:
            continue  # the interpreter says so itself


_former_hook, sys.excepthook = sys.excepthook, _hook
atexit.register(_at_end)
