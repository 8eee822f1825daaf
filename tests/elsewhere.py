"""Another process, as a slot is one: it loads a function and its arguments, calls it and sends the result back."""

from __future__ import annotations

import struct
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO

from skyward_jupyter.agent.captured import Loaded
from skyward_jupyter.wire.codec import dumps, loads

_SIZE = struct.Struct("<I")


class Elsewhere:
    """Calls functions in the other process, by their pickles alone."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._to: BinaryIO = process.stdin  # type: ignore[assignment]
        self._from: BinaryIO = process.stdout  # type: ignore[assignment]

    def __call__(self, function: Callable[..., Any], *args: Any) -> Any:
        """What the function returns there."""
        _write(self._to, dumps((function, args)))
        answer: Any = loads(_read(self._from))
        well, value = answer
        assert well, value
        return value


@contextmanager
def elsewhere() -> Iterator[Elsewhere]:
    """Another process, until the block is left."""
    command = [sys.executable, "-c", "from tests.elsewhere import serve; serve()"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        yield Elsewhere(process)


def repeated(data: bytes, times: int) -> list[Any]:
    """What a function gives in a slot, call after call."""
    loaded = Loaded(lambda: loads(data))
    return [loaded.get()() for _ in range(times)]


def is_kept(data: bytes) -> bool:
    """Whether a slot has it loaded for a second call."""
    loaded = Loaded(lambda: loads(data))
    first = loaded.get()
    first()
    return loaded.get() is first


def in_turn(first: bytes, second: bytes) -> list[Any]:
    """What two functions give in a slot by turns."""
    one, other = Loaded(lambda: loads(first)), Loaded(lambda: loads(second))
    return [loaded.get()() for loaded in (one, other, one, other)]


def serve() -> None:
    """Answer until nobody asks any more."""
    while data := _read(sys.stdin.buffer):
        try:
            call: Any = loads(data)
            function, args = call
            answer = dumps((True, function(*args)))
        except Exception:
            answer = dumps((False, traceback.format_exc()))
        _write(sys.stdout.buffer, answer)


def _write(file: BinaryIO, data: bytes) -> None:
    file.write(_SIZE.pack(len(data)) + data)
    file.flush()


def _read(file: BinaryIO) -> bytes:
    head = file.read(_SIZE.size)
    return file.read(_SIZE.unpack(head)[0]) if head else b""
