"""How the nodes of a pool are to be."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from skyward_jupyter.errors import UsageError

#: The most slots of one node.
MOST_SLOTS = 250


def is_count(value: object) -> bool:
    """Whether `value` is a whole number of at least 1."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


@dataclass(frozen=True, slots=True)
class Worker:
    """How a node runs tasks.

    Attributes
    ----------
    concurrency
        Tasks at a time on one node, 1 to 250.
    executor
        ``"process"`` gives each its own process: one can crash without harm to the others, and they use as many cores.
        ``"thread"`` runs them as threads of one process, which share memory and imports; a crash ends all of them.
    """

    concurrency: int = 1
    executor: Literal["process", "thread"] = "process"

    def __post_init__(self) -> None:
        if not is_count(self.concurrency) or self.concurrency > MOST_SLOTS:
            raise UsageError(f"concurrency is {self.concurrency!r}; a node runs 1 to {MOST_SLOTS} tasks at a time")
        if self.executor not in ("process", "thread"):
            raise UsageError(f"executor is {self.executor!r}; choose 'process' or 'thread'")
