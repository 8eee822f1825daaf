"""A counter that the nodes of a pool share."""

from __future__ import annotations

from skyward_jupyter.collections.collection import Collection, Request, same
from skyward_jupyter.errors import UsageError

_MOST = 2**63 - 1


class SharedCounter(Collection):
    """A whole number that many count up and down at once, none of them in the way of another.

    A method that waits has a twin to await, ``increment`` and ``increment_async``; that of `value` is `value_async`.
    """

    def increment(self, n: int = 1) -> None:
        """Add `n`."""
        self._now(_add("increment_async", n, 1))

    async def increment_async(self, n: int = 1) -> None:
        """`increment`, to await."""
        await self._later(_add("increment_async", n, 1))

    def decrement(self, n: int = 1) -> None:
        """Take `n` away."""
        self._now(_add("decrement_async", n, -1))

    async def decrement_async(self, n: int = 1) -> None:
        """`decrement`, to await."""
        await self._later(_add("decrement_async", n, -1))

    @property
    def value(self) -> int:
        """Where it stands."""
        return self._now(_GET)

    async def value_async(self) -> int:
        """`value`, to await."""
        return await self._later(_GET)

    def __int__(self) -> int:
        return self.value

    __index__ = __int__

    def reset(self, value: int = 0) -> None:
        """Set it to `value`."""
        self._now(_reset(value))

    async def reset_async(self, value: int = 0) -> None:
        """`reset`, to await."""
        await self._later(_reset(value))


def _add(twin: str, n: int, sign: int) -> Request[None]:
    return Request(twin, "add", (sign * _whole(n),), same)


def _reset(value: int) -> Request[None]:
    return Request("reset_async", "reset", (_whole(value),), same)


def _whole(n: int) -> int:
    if isinstance(n, bool) or not hasattr(n, "__index__") or abs(int(n)) > _MOST:
        raise UsageError(f"a counter counts in whole numbers, and {n!r} is none that it has room for")
    return int(n)


_GET: Request[int] = Request("value_async", "get", (), same)
