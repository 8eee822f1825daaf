"""Who waits at, or holds, a collection through one engine: told to whoever asks, gone with whoever it was.

It is kept in memory only, by the engine that serves whoever it is: when that process or node dies, so does what it
said. What the whole pool does is what all engines say together.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Literal

from skyward_jupyter.collections.address import Kind, Who

type Role = Literal["waits", "holds", "left"]


@dataclass(frozen=True)
class Present:
    """Somebody at a collection.

    Attributes
    ----------
    node
        Rank of the node, -1 for the kernel.
    role
        ``"waits"`` or ``"holds"``; ``"left"`` when it gave up just now.
    token
        The fencing token of a holder; 0 otherwise.
    age
        For how many seconds it has been there in this role. Clocks of machines are not compared, so it is no time.
    """

    node: int
    task: int
    label: str
    role: str
    token: int = 0
    age: float = 0.0

    @property
    def who(self) -> Who:
        """Who it is."""
        return Who(None if self.node < 0 else self.node, self.task, self.label)


class Presence:
    """Everybody here.

    Parameters
    ----------
    changed
        Called with the collection when somebody comes or goes.
    """

    def __init__(self, changed: Callable[[Kind, str], None]) -> None:
        self._changed = changed
        self._numbers = itertools.count()
        # With since when, by this process's clock.
        self._present: dict[tuple[Kind, str], dict[int, tuple[Present, float]]] = {}

    def come(self, kind: Kind, name: str, who: Who, role: Role = "waits", token: int = 0) -> int:
        """Somebody is here from now on; returns what `go` takes."""
        number = next(self._numbers)
        node = -1 if who.node is None else who.node
        present = Present(node, who.task, who.label, role, token)
        self._present.setdefault((kind, name), {})[number] = present, time.monotonic()
        self._changed(kind, name)
        return number

    def hold(self, kind: Kind, name: str, number: int, token: int) -> None:
        """Somebody who waited has it now."""
        at = self._present[kind, name]
        at[number] = replace(at[number][0], role="holds", token=token), time.monotonic()
        self._changed(kind, name)

    def go(self, kind: Kind, name: str, number: int) -> None:
        """Somebody is gone."""
        at = self._present.get((kind, name), {})
        at.pop(number, None)
        if not at:
            self._present.pop((kind, name), None)
        self._changed(kind, name)

    def leave(self, kind: Kind, name: str, number: int, after: float) -> None:
        """Somebody is leaving, and remembered as having been here for `after` seconds."""
        left = next(self._numbers)
        at = self._present[kind, name]
        present, since = at[number]
        at[left] = replace(present, role="left"), since
        asyncio.get_running_loop().call_later(after, self.go, kind, name, left)

    @contextmanager
    def waiting(self, kind: Kind, name: str, who: Who) -> Iterator[int]:
        """Somebody is here inside the block."""
        number = self.come(kind, name, who)
        try:
            yield number
        finally:
            self.go(kind, name, number)

    def at(self, kind: Kind, name: str) -> tuple[Present, ...]:
        """Everybody at a collection."""
        now, there = time.monotonic(), self._present.get((kind, name), {})
        return tuple(replace(present, age=now - since) for present, since in there.values())
