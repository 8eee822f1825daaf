"""A lock that the nodes of a pool share."""

from __future__ import annotations

from types import TracebackType
from typing import Any, Literal, Self

from skyward_jupyter.collections import place
from skyward_jupyter.collections.address import Address
from skyward_jupyter.collections.collection import Collection, checked_timeout
from skyward_jupyter.collections.holdings import Hold, Owner, me
from skyward_jupyter.collections.place import Place
from skyward_jupyter.errors import LockTimeout

#: What `acquire` is given when it is not said how long to wait.
type Own = Literal["own"]


class SharedLock(Collection):
    """Held by one at a time: a thread, or a task of an event loop. Not reentrant.

    It is free again at once when the process that holds it ends, or the call on a node that it was taken in; when the
    node is lost, within some seconds. What it guards is safe even from a holder that was only taken for lost, when it
    refuses a smaller `token` than it has seen. `timeout` is how long `acquire` and ``with`` wait when nothing else is
    said.
    """

    #: Seconds that `acquire` and ``with`` wait when nothing else is said; None for as long as it takes.
    timeout: float | None = None

    def __init__(self, address: Address, pool: Any = None, timeout: float | None = None) -> None:
        super().__init__(address, pool)
        self.timeout = checked_timeout(timeout)

    def __reduce__(self) -> tuple[Any, ...]:
        made, args = super().__reduce__()
        return (made, args) if self.timeout is None else (made, args, {"timeout": self.timeout})

    def acquire(self, timeout: float | Own | None = "own") -> bool:
        """Have the lock; False when it was not free within `timeout` seconds, 0 to try once, None to wait.

        When `timeout` is not given, it is the one that the lock was made with, or None.

        Raises
        ------
        LockMisused
            The caller has it already.
        """
        here, owner = self._wanted(awaiting=False)
        return self._kept(here, owner, here.acquire(self._address, self._within(timeout)))

    async def acquire_async(self, timeout: float | Own | None = "own") -> bool:
        """`acquire`, to await."""
        here, owner = self._wanted(awaiting=True)
        return self._kept(here, owner, await here.acquire_async(self._address, self._within(timeout)))

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
        __tracebackhide__ = True
        self._entered(self.acquire())
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.release()

    async def __aenter__(self) -> Self:
        __tracebackhide__ = True
        self._entered(await self.acquire_async())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> None:
        await self.release_async()

    def _within(self, timeout: float | Own | None) -> float | None:
        return self.timeout if timeout == "own" else checked_timeout(timeout)

    def _entered(self, has: bool) -> None:
        __tracebackhide__ = True
        if not has:
            raise LockTimeout(self.name, self.timeout or 0.0)

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
