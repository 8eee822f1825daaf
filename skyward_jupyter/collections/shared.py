"""What a user types: ``sky.dict("name")`` and the like, each the same collection wherever in the pool it is made."""

from __future__ import annotations

from typing import Any

from skyward_jupyter.collections.address import Consistency, checked
from skyward_jupyter.collections.barrier import SharedBarrier
from skyward_jupyter.collections.counter import SharedCounter
from skyward_jupyter.collections.lock import SharedLock
from skyward_jupyter.collections.mapping import SharedDict
from skyward_jupyter.collections.members import SharedSet
from skyward_jupyter.collections.queue import SharedQueue
from skyward_jupyter.errors import UsageError

__all__ = ["shared_barrier", "shared_counter", "shared_dict", "shared_lock", "shared_queue", "shared_set"]


def shared_dict(name: str, *, consistency: Consistency = "strong", pool: Any = None) -> SharedDict[Any, Any]:
    """The dict of this name that the nodes of a pool and its kernel share.

    Parameters
    ----------
    consistency
        ``"strong"``: a change counts once two of three nodes have it, so no single lost node takes it along.
        ``"eventual"``: once one has it; quicker, and what was last written may go with a lost node.
    pool
        A pool, or its name: in a notebook the active one, on a node its own.
    """
    return SharedDict(checked("dict", name, consistency), pool)


def shared_set(name: str, *, consistency: Consistency = "strong", pool: Any = None) -> SharedSet[Any]:
    """The set of this name that the nodes of a pool and its kernel share; see `sky.dict` for the parameters."""
    return SharedSet(checked("set", name, consistency), pool)


def shared_counter(name: str, *, consistency: Consistency = "strong", pool: Any = None) -> SharedCounter:
    """The counter of this name that the nodes of a pool and its kernel share; see `sky.dict` for the parameters."""
    return SharedCounter(checked("counter", name, consistency), pool)


def shared_queue(name: str, *, consistency: Consistency = "strong", pool: Any = None) -> SharedQueue[Any]:
    """The queue of this name that the nodes of a pool and its kernel share; see `sky.dict` for the parameters."""
    return SharedQueue(checked("queue", name, consistency), pool)


def shared_barrier(name: str, parties: int | None = None, *, n: int | None = None, pool: Any = None) -> SharedBarrier:
    """The barrier of this name that the nodes of a pool and its kernel share.

    Parameters
    ----------
    parties
        How many wait for each other; as many as the pool has nodes when not given.
    n
        Another name for it.
    """
    if n is not None and parties not in (None, n):
        raise UsageError(f"parties is {parties!r} and n is {n!r}, which mean the same; leave one of them out")
    return SharedBarrier(checked("barrier", name, parties=n if parties is None else parties), pool)


def shared_lock(name: str, *, timeout: float | None = None, pool: Any = None) -> SharedLock:
    """The lock of this name that the nodes of a pool and its kernel share.

    Parameters
    ----------
    timeout
        Seconds that ``with`` waits for it before it raises `LockTimeout`, and `acquire` before it gives False; None
        for as long as it takes.
    """
    return SharedLock(checked("lock", name), pool, timeout)
