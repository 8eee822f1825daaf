"""Where code that uses collections runs, and so how it reaches them: a slot of a node, or the kernel of a pool."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from skyward_jupyter.collections.address import Address
from skyward_jupyter.collections.holdings import Hold, Holdings
from skyward_jupyter.errors import NoPool, NotClustered


class Place(Protocol):
    """A way to the collections of one pool.

    Attributes
    ----------
    pool
        The pool's name.
    holdings
        The locks held from here.
    """

    pool: str
    holdings: Holdings

    def task(self) -> int:
        """The task at whose end the locks taken now are freed; 0 for none."""
        ...

    def call(self, address: Address, method: str, args: tuple[Any, ...], instead: str) -> Any:
        """Make a call and wait for what it gives; `instead` is the form to await, where waiting is refused."""
        ...

    async def call_async(self, address: Address, method: str, args: tuple[Any, ...]) -> Any:
        """`call`, to await on any event loop."""
        ...

    def acquire(self, address: Address, timeout: float | None) -> Hold | None:
        """Have a lock; None when it was not free in time."""
        ...

    async def acquire_async(self, address: Address, timeout: float | None) -> Hold | None:
        """`acquire`, to await on any event loop."""
        ...


type Find = Callable[[str | None], Place]


def _nowhere(pool: str | None) -> Place:
    raise NoPool(
        "no pool is running, and collections live in the nodes of one; start it with `%sky start --nodes 4` or "
        "`sky.ComputePool(nodes=4)`"
    )


_find: Find = _nowhere


def enter(find: Find) -> None:
    """Say how the code of this process finds the place of a pool, given its name or None for the one at hand."""
    global _find
    if _find is _nowhere:  # a slot stays one also when its code starts a pool
        _find = find


def not_clustered(pool: str) -> NotClustered:
    """What is raised wherever collections are used of a pool whose nodes do not know each other."""
    return NotClustered(
        f"the nodes of pool {pool!r} do not form a cluster, and collections live in one; use a pool that has one, or "
        "send values as arguments and results"
    )


def find(pool: str | None) -> Place:
    """The place of a pool, or of the one at hand."""
    return _find(pool)
