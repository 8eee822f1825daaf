"""A barrier that the nodes of a pool share."""

from __future__ import annotations

from skyward_jupyter.collections.collection import Collection, Request, checked_timeout, same


class SharedBarrier(Collection):
    """Lets everybody go on once all have come; and again, as often as they come."""

    @property
    def parties(self) -> int | None:
        """How many wait for each other; None for as many as the pool has nodes."""
        return self._address.parties or None

    def wait(self, timeout: float | None = None) -> None:
        """Return when all parties wait.

        Raises
        ------
        BarrierTimeout
            They did not all come within `timeout` seconds: it names the nodes that nobody came from.
        """
        __tracebackhide__ = True
        self._now(_wait(timeout))

    async def wait_async(self, timeout: float | None = None) -> None:
        """`wait`, to await."""
        await self._later(_wait(timeout))

    def reset(self) -> None:
        """Do nothing: it is ready for the next time as soon as it has opened, and those who wait go on waiting."""

    async def reset_async(self) -> None:
        """`reset`, to await."""


def _wait(timeout: float | None) -> Request[None]:
    return Request("wait_async", "wait", (checked_timeout(timeout),), same)
