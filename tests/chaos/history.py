"""What clients did to collections: each operation with when it began and ended, in files that outlive who wrote them.

A client writes a line before and after each operation. One without a second line, or that raised, may have happened or
not, at any time since it began.
"""

from __future__ import annotations

import itertools
import json
import os
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

type Sort = Literal["dict", "set", "counter", "queue", "lock", "barrier"]

#: When what never ended has ended.
NEVER = float("inf")


@dataclass(frozen=True, slots=True)
class Op:
    """One operation.

    Attributes
    ----------
    kind, name
        The collection; of a dict or set, with the key in the name.
    does, value
        What is done, and with what: given, or got.
    began, ended
        Seconds on the machine's monotonic clock; `ended` is `NEVER` where it raised or nobody knows.
    error
        What it raised.
    """

    client: str
    kind: str
    name: str
    does: str
    value: Any
    began: float
    ended: float = NEVER
    error: str = ""

    @property
    def maybe(self) -> bool:
        """Whether it may have happened or not."""
        return self.ended == NEVER


class Recorder:
    """Writes down what one client does. Its lines are whole also when it is killed."""

    def __init__(self, directory: str, client: str) -> None:
        self._client = client
        self._fd = os.open(f"{directory}/{client}.ops", os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o600)
        self._numbers = itertools.count()

    def begin(self, kind: str, name: str, does: str, value: Any = None) -> int:
        """Note that an operation begins; returns its number."""
        number = next(self._numbers)
        self._write([number, "began", time.monotonic(), self._client, kind, name, does, value])
        return number

    def end(self, number: int, value: Any = None, *, got: bool = False, at: float | None = None) -> None:
        """Note that it has ended, now or at a moment before, and what it `got`."""
        self._write([number, "ended", time.monotonic() if at is None else at, value if got else None, got])

    def raised(self, number: int, error: BaseException) -> None:
        """Note that it raised."""
        self._write([number, "raised", time.monotonic(), f"{type(error).__name__}: {error}"[:300]])

    def _write(self, line: list[Any]) -> None:
        os.write(self._fd, json.dumps(line).encode() + b"\n")


def gathered(directory: Path) -> list[Op]:
    """What all clients wrote down."""
    return sorted(
        (op for file in directory.glob("*.ops") for op in _of(file.read_text().splitlines())), key=lambda op: op.began
    )


def _of(lines: Iterable[str]) -> Iterable[Op]:
    open: dict[int, list[Any]] = {}
    for line in lines:
        try:
            number, what, at, *rest = json.loads(line)
        except ValueError:
            continue  # the client was killed in the middle of it
        if what == "began":
            open[number] = [at, *rest]
            continue
        began, client, kind, name, does, value = open.pop(number)
        if what == "raised":
            yield Op(client, kind, name, does, value, began, NEVER, rest[0])
        else:
            yield Op(client, kind, name, does, rest[0] if rest[1] else value, began, at)
    for began, client, kind, name, does, value in open.values():
        yield Op(client, kind, name, does, value, began, NEVER, "it never ended")


def save(history: Iterable[Op], file: Path) -> Path:
    """Keep a history in a file, one operation a line."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("".join(json.dumps(asdict(op)) + "\n" for op in history))
    return file


def load(file: Path) -> list[Op]:
    """What `save` was given."""
    return [Op(**json.loads(line)) for line in file.read_text().splitlines()]
