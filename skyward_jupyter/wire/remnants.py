"""What a process leaves in a directory of blobs when it is killed: half a file, and results that nobody heard of.

Both have its process id in their names, so whoever sees it end can remove them, in both places of the pool.
"""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterator, Mapping
from pathlib import Path

from skyward_jupyter.wire.spill import spill_of

_DIGITS = 8


def new_token() -> str:
    """Return what the names of the results of this process begin with, 16 hex digits."""
    return f"{os.getpid():0{_DIGITS}x}{secrets.token_hex(_DIGITS // 2)}"


def partial_name(name: str) -> str:
    """Return what a blob is called while this process writes it."""
    return f"{name}.{os.getpid()}"


def remove_partial(directory: Path, pid: int) -> None:
    """Remove what process `pid`, which has ended, has half written."""
    for path in _found(directory, f"*.{pid}"):
        path.unlink(missing_ok=True)


def remove_results(directory: Path, pid: int, told: Mapping[str, int] | None = None) -> None:
    """Remove the results of process `pid`, which has ended; of each token, those up to the number in `told` stay."""
    for path in _found(directory, f"{pid:0{_DIGITS}x}" + "[0-9a-f]" * _DIGITS + "-*"):
        token, _, number = path.name.partition("-")
        if number.isdecimal() and int(number) > (told or {}).get(token, 0):
            path.unlink(missing_ok=True)


def _found(directory: Path, pattern: str) -> Iterator[Path]:
    spill = spill_of(directory.parent)
    for place in (directory, *([spill / directory.name] if spill is not None else [])):
        with contextlib.suppress(OSError):
            yield from place.glob(pattern)
