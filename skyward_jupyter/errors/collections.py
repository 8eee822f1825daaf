"""Errors of what nodes and kernel share by name."""

from __future__ import annotations

import time
from typing import Any

from skyward_jupyter.errors.base import SkywardError, UsageError
from skyward_jupyter.errors.pools import PoolError


class CollectionMismatch(UsageError):
    """A collection's name is used as another kind, or with other settings, than it was first."""


class KeyRefused(UsageError, TypeError):
    """A key, or a member of a set, that could not be found again from another node."""


class ValueTooLarge(UsageError):
    """A key or value is too large for a collection; nothing was stored.

    Attributes
    ----------
    what
        Which key or value.
    size, limit
        Its size, and the largest there may be, in bytes as pickled.
    """

    def __init__(self, what: str, size: int, limit: int) -> None:
        self.what = what
        self.size = size
        self.limit = limit
        advice = (
            "use something shorter that stands for it, such as its name or a hash"
            if limit < 2**20
            else "store parts of it under keys of their own, or its place in a file that every node sees"
        )
        super().__init__(f"{what} takes {size:,} bytes pickled, and a collection has room for {limit:,}; {advice}")

    def __reduce__(self) -> tuple[Any, ...]:
        return ValueTooLarge, (self.what, self.size, self.limit)


class LockMisused(UsageError, RuntimeError):
    """A lock was released, or its token read, by who does not hold it, or it was acquired again by its holder."""


class CollectionUnavailable(PoolError):
    """Too few nodes answered for a collection, as while nodes are lost or replaced.

    A change that raised it may have been made nevertheless; reading, or making it again where that is safe, tells.
    """


class CollectionLost(PoolError):
    """Nodes were lost together that kept all copies of something, so part of a collection may be gone.

    It is raised once for each loss, on every node and in the notebook, in place of the next operation on the
    collection, which is not made. After that the collection can be used as it is.

    Attributes
    ----------
    kind, name
        Which collection.
    nodes
        The nodes that were lost together.
    left
        How many others were ready: 0 when everything is gone.
    at
        Since when (seconds since the epoch).
    """

    def __init__(self, kind: str, name: str, nodes: tuple[int, ...], left: int, at: float) -> None:
        self.kind = kind
        self.name = name
        self.nodes = nodes
        self.left = left
        self.at = at
        which = f"nodes {', '.join(map(str, nodes))} were" if len(nodes) > 1 else f"node {nodes[0]} was"
        together = " together" if len(nodes) > 1 else ""
        when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(at))
        what = _KEPT.get(kind, "state")
        gone = f"some of its {what} may be gone" if left else f"all of its {what} are gone"
        super().__init__(
            f"{kind} {name!r} has lost data: {which} lost{together} at {when}, before what they kept had been copied, "
            f"so {gone} since then; this call was not made, check what is there and call again"
        )

    def __reduce__(self) -> tuple[Any, ...]:
        return CollectionLost, (self.kind, self.name, self.nodes, self.left, self.at)


#: What a collection keeps, for people.
_KEPT = {"dict": "keys", "set": "members", "counter": "counts", "queue": "items", "lock": "tokens"}


class BarrierTimeout(SkywardError, TimeoutError):
    """Not everybody came to a barrier in time; those who waited may wait again.

    Attributes
    ----------
    name, seconds
        The barrier, and how long was waited.
    missing
        The nodes nobody of which waited at the barrier.
    arrived, parties
        How many were there, and how many it takes.
    """

    def __init__(self, name: str, seconds: float, missing: tuple[int, ...], arrived: int, parties: int) -> None:
        self.name = name
        self.seconds = seconds
        self.missing = missing
        self.arrived = arrived
        self.parties = parties
        ranks = ", ".join(map(str, missing))
        who = f"; nobody came from node{'s' * (len(missing) > 1)} {ranks}" if missing else ""
        super().__init__(
            f"{arrived} of {parties} parties had come to barrier {name!r} after {seconds:g} s{who}; see what the "
            "others do, or give `parties=` if fewer are to come"
        )

    def __reduce__(self) -> tuple[Any, ...]:
        return BarrierTimeout, (self.name, self.seconds, self.missing, self.arrived, self.parties)


class LockTimeout(SkywardError, TimeoutError):
    """``with`` did not have the lock `name` within the `seconds` it was made with; nothing in it has run."""

    def __init__(self, name: str, seconds: float) -> None:
        self.name = name
        self.seconds = seconds
        super().__init__(
            f"lock {name!r} was not free within {seconds:g} s; show the lock to see who holds it, or give it more "
            f"time, as in sky.lock({name!r}, timeout=60)"
        )

    def __reduce__(self) -> tuple[Any, ...]:
        return LockTimeout, (self.name, self.seconds)


class LockLost(SkywardError):
    """The lease of a lock ran out while it was held, so that somebody else may have had it since.

    Attributes
    ----------
    name
        The lock.
    token
        The fencing token it was held with: a later holder has a larger one.
    """

    def __init__(self, name: str, token: int) -> None:
        self.name = name
        self.token = token
        super().__init__(
            f"lock {name!r} was lost while it was held with token {token}: its lease could not be renewed in time; "
            "check what it guards, another holder may have been there"
        )

    def __reduce__(self) -> tuple[Any, ...]:
        return LockLost, (self.name, self.token)
