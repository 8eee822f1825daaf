"""A lock that the nodes of a pool share."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from skyward_jupyter.collections import place
from skyward_jupyter.collections.collection import Collection, checked_timeout
from skyward_jupyter.collections.holdings import Hold, Owner, me
from skyward_jupyter.collections.place import Place


class SharedLock(Collection):
    """Held by one at a time: a thread, or a task of an event loop. Not reentrant.

    It is free again at once when the process that holds it ends, or the call on a node that it was taken in; when the
    node is lost, within some seconds. What it guards is safe even from a holder that was only taken for lost, when it
    refuses a smaller `token` than it has seen.
    """

    def acquire(self, timeout: float | None = None) -> bool:
        """Have the lock; False when it was not free within `timeout` seconds, 0 to try once, None to wait.

        Raises
        ------
        LockMisused
            The caller has it already.
        """
        here, owner = self._wanted(awaiting=False)
        return self._kept(here, owner, here.acquire(self._address, checked_timeout(timeout)))

    async def acquire_async(self, timeout: float | None = None) -> bool:
        """`acquire`, to await."""
        here, owner = self._wanted(awaiting=True)
        return self._kept(here, owner, await here.acquire_async(self._address, checked_timeout(timeout)))

    def release(self) -> None:
        """Free the lock.

        Raises
        ------
        LockMisused
            The caller does not have it.
        LockLost
            Its lease had run out, so somebody else may have had it meanwhile.
        """
        self._freed(awaiting=False).release()

    async def release_async(self) -> None:
        """`release`, to await."""
        await self._freed(awaiting=True).release_async()

    @property
    def token(self) -> int:
        """The fencing token of the caller's hold: each holder has a larger one than those before."""
        here = place.find(self._pool)
        try:
            owner = me(awaiting=True)
        except RuntimeError:
            owner = me(awaiting=False)
        return here.holdings.mine(self._address, owner).hold.token

    def __enter__(self) -> Self:
        self.acquire()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.release()

    async def __aenter__(self) -> Self:
        await self.acquire_async()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> None:
        await self.release_async()

    def _wanted(self, *, awaiting: bool) -> tuple[Place, Owner]:
        here, owner = place.find(self._pool), me(awaiting)
        here.holdings.refuse_again(self._address, owner)
        return here, owner

    def _kept(self, here: Place, owner: Owner, hold: Hold | None) -> bool:
        if hold is not None:
            here.holdings.add(self._address, hold, owner, here.task())
        return hold is not None

    def _freed(self, *, awaiting: bool) -> Hold:
        here = place.find(self._pool)
        held = here.holdings.mine(self._address, me(awaiting))
        here.holdings.remove(held)
        return held.hold
