"""Calls of collections that a node makes for the kernel: the node is there also while the kernel's loop is busy."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import pickle
import secrets
import time

import casty

from skyward_jupyter.actors.desk import NodeState
from skyward_jupyter.actors.hub import Hub
from skyward_jupyter.collections.address import Address
from skyward_jupyter.collections.caller import Call, Outcome, read_outcome
from skyward_jupyter.collections.engine import Engine, told
from skyward_jupyter.collections.freshness import Allowance, fresh
from skyward_jupyter.collections.steward import Do, Forget, StewardMessage
from skyward_jupyter.errors import CollectionUnavailable, LockLost, PoolStopped, SkywardError

#: Seconds between two looks whether the node is still there.
_LOOK = 2.0
_AGAIN = 0.2
#: A pool in one of these states has nodes, or is about to.
_RUNS = ("starting", "ready")
_UP = (NodeState.IDLE, NodeState.ACTIVE)

#: Unlike those of any kernel before.
_numbers = itertools.count(secrets.randbits(62))


class _NodeGone(Exception):
    """The node was lost."""


class _Errand:
    """What one node does for the kernel."""

    def __init__(self, hub: Hub, engine: Engine, rank: int) -> None:
        self.rank = rank
        self._hub = hub
        self._generation = hub.generation.get(rank, 0)
        self._engine = engine
        self._address = hub.fleet.address(rank)

    async def run(self, call: Call) -> object:
        """Have it make a call. Given up, the call is undone."""
        number = next(_numbers)
        heard = False
        try:
            with told(call.address):
                outcome = await self._outcome(number, pickle.dumps(call, 5))
            heard = True
        finally:
            with contextlib.suppress(RuntimeError):  # the pool was stopped
                self._steward().tell(Forget(self._hub.key, number, heard))
        if outcome.error is not None:
            raise outcome.error
        return outcome.value

    def _steward(self) -> casty.Ref[StewardMessage]:
        return self._engine.steward(self._address)

    async def _outcome(self, number: int, call: bytes) -> Outcome:
        """It is asked again now and then, as it may be lost without a word; it knows a call that it has made."""
        while self._hub.generation.get(self.rank, 0) == self._generation:
            try:
                async with asyncio.timeout(_LOOK):
                    told = await self._steward().ask(Do(self._hub.key, number, call))
            except TimeoutError:
                continue
            except casty.Unavailable:
                await asyncio.sleep(_AGAIN)
                continue
            return read_outcome(told)
        raise _NodeGone


class Holder:
    """The node that holds a lock for the kernel."""

    def __init__(self, errand: _Errand, address: Address, number: int, token: int) -> None:
        self.token = token
        self._errand = errand
        self._address = address
        self._number = number

    async def stands(self) -> bool:
        """Whether the lock is still held; when it is not, it is done with."""
        while True:
            asked = time.monotonic()
            kept = await self._errand.run(Call(self._address, "stands", (self._number,)))
            if fresh(asked) or not kept:
                return bool(kept)

    async def release(self) -> None:
        """Have it free the lock."""
        try:
            await self._errand.run(Call(self._address, "release", (self._number,)))
        except _NodeGone:
            raise LockLost(self._address.name, self.token) from None

    async def drop(self) -> None:
        """Have it free the lock, however that ends."""
        with contextlib.suppress(SkywardError):
            await self.release()


class Errands:
    """Finds the node that does something."""

    def __init__(self, hub: Hub, engine: Engine) -> None:
        self._hub = hub
        self._engine = engine

    async def run(self, call: Call) -> object:
        """Have a node make a call."""
        errand = await self._errand()
        try:
            return await errand.run(call)
        except _NodeGone:
            if self._hub.state not in _RUNS:
                raise PoolStopped(f"the pool was stopped, and with it went {call.address}") from None
            raise CollectionUnavailable(
                f"node {errand.rank}, which did it for the notebook, was lost; the call of {call.address} may have "
                "been made, call again where calling twice is safe"
            ) from None

    async def acquire(self, address: Address, timeout: float | None) -> Holder | None:
        """Have a node take a lock; None when it was not free in time."""
        allowed = Allowance(timeout)
        while True:
            errand = await self._errand()
            try:
                match await errand.run(Call(address, "acquire", (allowed.left,))):
                    case (int(number), int(token)):
                        holder = Holder(errand, address, number, token)
                        if allowed.fresh or await self._stands(holder):
                            return holder
                    case _:
                        return None
            except _NodeGone:
                continue  # what it may have had goes with it

    async def _stands(self, holder: Holder) -> bool:
        """Whether a lock is still held; not knowing it, it is given back."""
        try:
            return await holder.stands()
        except BaseException:
            self._engine.room.own(holder.drop())
            raise

    async def _errand(self) -> _Errand:
        """The first node that is there; while all are being replaced, as soon as one is."""
        hub = self._hub
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(hub.patience):
                while hub.state in _RUNS:
                    ready = [rank for rank, view in hub.desk.nodes.items() if view.state in _UP]
                    if ready:
                        return _Errand(hub, self._engine, min(ready))
                    await hub.turned.wait()
        raise PoolStopped(f"pool {hub.name!r} has no node that is ready, and its collections live in them")
