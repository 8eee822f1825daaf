"""The collections of one pool, from the pool itself: ``pool.dict("name")`` is ``sky.dict("name", pool=pool)``.

What they need is loaded with the first of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from skyward_jupyter.collections.address import Consistency
    from skyward_jupyter.collections.barrier import SharedBarrier
    from skyward_jupyter.collections.counter import SharedCounter
    from skyward_jupyter.collections.lock import SharedLock
    from skyward_jupyter.collections.mapping import SharedDict
    from skyward_jupyter.collections.members import SharedSet
    from skyward_jupyter.collections.queue import SharedQueue


class Sharing:
    """Of a pool: its collections by name."""

    def dict(self, name: str, *, consistency: Consistency = "strong") -> SharedDict[Any, Any]:
        """`sky.dict`, of this pool."""
        from skyward_jupyter.collections.shared import shared_dict

        return shared_dict(name, consistency=consistency, pool=self)

    def set(self, name: str, *, consistency: Consistency = "strong") -> SharedSet[Any]:
        """`sky.set`, of this pool."""
        from skyward_jupyter.collections.shared import shared_set

        return shared_set(name, consistency=consistency, pool=self)

    def counter(self, name: str, *, consistency: Consistency = "strong") -> SharedCounter:
        """`sky.counter`, of this pool."""
        from skyward_jupyter.collections.shared import shared_counter

        return shared_counter(name, consistency=consistency, pool=self)

    def queue(self, name: str, *, consistency: Consistency = "strong") -> SharedQueue[Any]:
        """`sky.queue`, of this pool."""
        from skyward_jupyter.collections.shared import shared_queue

        return shared_queue(name, consistency=consistency, pool=self)

    def barrier(self, name: str, parties: int | None = None, *, n: int | None = None) -> SharedBarrier:
        """`sky.barrier`, of this pool."""
        from skyward_jupyter.collections.shared import shared_barrier

        return shared_barrier(name, parties, n=n, pool=self)

    def lock(self, name: str, *, timeout: float | None = None) -> SharedLock:
        """`sky.lock`, of this pool."""
        from skyward_jupyter.collections.shared import shared_lock

        return shared_lock(name, timeout=timeout, pool=self)
