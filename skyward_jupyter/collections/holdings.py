"""The locks that a process holds, and which part of it holds each: a thread, or a task of an event loop."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

from skyward_jupyter.collections.address import Address
from skyward_jupyter.errors import LockMisused


class Hold(Protocol):
    """A lock while it is held; `token` fences it."""

    token: int

    def release(self) -> None:
        """Free it."""
        ...

    async def release_async(self) -> None:
        """`release`, to await on any event loop."""
        ...

    def drop(self) -> None:
        """Free it, without waiting and without saying that it was lost."""
        ...


@dataclass(frozen=True, slots=True)
class Owner:
    """Who holds a lock: a thread, or a task on one."""

    thread: threading.Thread
    task: asyncio.Task[Any] | None

    @property
    def over(self) -> bool:
        """Whether it has ended, so that somebody else may release what it left."""
        return self.task.done() if self.task is not None else not self.thread.is_alive()


def me(awaiting: bool) -> Owner:
    """Who calls: of one that awaits, its task."""
    return Owner(threading.current_thread(), asyncio.current_task() if awaiting else None)


@dataclass(frozen=True, slots=True, eq=False)
class Held:
    """A lock that is held, by whom, and in which of a slot's tasks."""

    address: Address
    hold: Hold
    owner: Owner
    task: int


class Holdings:
    """The locks that a process holds."""

    def __init__(self) -> None:
        self._held: list[Held] = []

    def refuse_again(self, address: Address, owner: Owner) -> None:
        """Nobody waits for a lock that only he could release."""
        if any(held.address == address and held.owner == owner for held in self._held):
            raise LockMisused(
                f"{address} is held here already and would be waited for forever: it is not reentrant, release it first"
            )

    def add(self, address: Address, hold: Hold, owner: Owner, task: int = 0) -> None:
        """A lock is held from now on."""
        self._held.append(Held(address, hold, owner, task))

    def mine(self, address: Address, owner: Owner) -> Held:
        """The caller's hold of a lock."""
        for held in self._of(address):
            if held.owner == owner:
                return held
        for held in self._of(address):
            if held.owner.over or held.owner == Owner(owner.thread, None):
                return held
        raise LockMisused(f"{address} is not held here; `acquire` it first, or use `with`")

    def remove(self, held: Held) -> None:
        """It is not held any more."""
        self._held.remove(held)

    def of_task(self, task: int) -> list[Held]:
        """What a slot's task holds."""
        return [held for held in self._held if held.task == task]

    def _of(self, address: Address) -> Iterator[Held]:
        return (held for held in self._held if held.address == address)
