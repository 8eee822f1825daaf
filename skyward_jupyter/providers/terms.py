"""What a pool and its nodes are to be like, whichever provider has the machines."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

#: The most nodes of a local pool: one loopback address each.
LARGEST = 250

#: What a pool does when it is not told: a task survives a few losses, and a node that keeps dying is not kept alive.
RETRIES = 3
MAX_RETRIES = 10


@dataclass(frozen=True, slots=True)
class NodeSpec:
    """What every node of a pool is like.

    Attributes
    ----------
    concurrency, executor
        Slots of a node, and whether they are processes or threads.
    ttl
        Seconds a node lives on without its kernel.
    env
        Additional environment of user code.
    preload
        What slots on this machine are born with: the libraries of `skyward_jupyter.agent.preload.PROVEN` that this
        process has imported, nothing, or the modules that are named.
    """

    concurrency: int = 1
    executor: Literal["process", "thread"] = "process"
    ttl: float = 30.0
    env: Mapping[str, str] = field(default_factory=dict, repr=False)
    preload: bool | tuple[str, ...] = True


@dataclass(frozen=True, slots=True)
class Terms:
    """What a pool keeps to, whichever kernel drives it.

    Attributes
    ----------
    first, smallest, largest, idle_after
        Of an elastic pool: with how many nodes it starts, between what numbers it may have, and after how many idle
        seconds one goes. `largest` is 0 for a pool of a fixed size.
    retries
        How often a task is repeated that does not say so itself.
    max_retries
        How often a node is replaced within an hour.
    patience
        Seconds that nodes may take to start.
    panel
        How it shows itself where there is no notebook, as it was given.
    preload
        As of `NodeSpec`.
    """

    first: int = 0
    smallest: int = 0
    largest: int = 0
    idle_after: float = 0.0
    retries: int = RETRIES
    max_retries: int = MAX_RETRIES
    patience: float = 60.0
    panel: str = "auto"
    preload: bool | tuple[str, ...] = True
