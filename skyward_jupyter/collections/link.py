"""A process's way to its agent's collections: connections that are used for one call, or one held lock, at a time.

Waiting can be interrupted. Whoever is interrupted drops the connection, by which the agent knows: a connection is only
used again when the last call on it was answered.
"""

from __future__ import annotations

import asyncio
import os
import pickle
import socket
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from skyward_jupyter.collections.address import Address
from skyward_jupyter.collections.caller import Call, Outcome
from skyward_jupyter.collections.freshness import Allowance, fresh
from skyward_jupyter.collections.holdings import Holdings
from skyward_jupyter.collections.pieces import HEARD, Cutter, piece
from skyward_jupyter.collections.place import not_clustered
from skyward_jupyter.errors import CollectionUnavailable

#: How long a wait may not notice that its thread was told to raise something (seconds).
_BEAT = 0.1
_READ = 256 * 1024
#: Calls whose answer hands something over, and so is confirmed.
_HANDING = frozenset({"get", "acquire"})


class _Wire:
    """One connection."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._cutter = Cutter()

    def call(self, call: Call) -> Outcome:
        """Make a call and wait for its outcome."""
        self._sock.settimeout(_BEAT)
        self._send(piece(pickle.dumps(call, 5)))
        while True:
            try:
                data = self._sock.recv(_READ)
            except TimeoutError:
                continue
            if (body := self._fed(data)) is not None:
                break
        if call.method in _HANDING:
            self._send(HEARD)
        return _outcome(body)

    async def call_async(self, call: Call) -> Outcome:
        """`call`, on the event loop that runs here."""
        loop = asyncio.get_running_loop()
        self._sock.setblocking(False)
        await loop.sock_sendall(self._sock, piece(pickle.dumps(call, 5)))
        while (body := self._fed(await loop.sock_recv(self._sock, _READ))) is None:
            pass
        if call.method in _HANDING:
            await loop.sock_sendall(self._sock, HEARD)
        return _outcome(body)

    def close(self) -> None:
        """The agent takes back what was handed over on it."""
        self._sock.close()

    def _send(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            try:
                view = view[self._sock.send(view) :]
            except TimeoutError:
                continue

    def _fed(self, data: bytes) -> bytes | None:
        if not data:
            raise ConnectionError("the agent closed the connection")
        return next(self._cutter.feed(data), None)


class Link:
    """The calls of this process.

    Parameters
    ----------
    connect
        Makes a connection to the agent.
    pool
        The name of its pool.
    task
        The task that the calling code belongs to.

    Attributes
    ----------
    lasting
        Whether the locks that a task takes stay when it has ended, as those of a session's cells do.
    """

    def __init__(self, connect: Callable[[], socket.socket], pool: str, task: Callable[[], int]) -> None:
        self.pool = pool
        self.holdings = Holdings()
        self.lasting = False
        self._connect = connect
        self._task = task
        self._idle: deque[_Wire] = deque()
        os.register_at_fork(after_in_child=self._idle.clear)

    def task(self) -> int:
        """The task at whose end the locks taken now are freed; 0 for none."""
        return 0 if self.lasting else self._task()

    def call(self, address: Address, method: str, args: tuple[Any, ...], instead: str) -> Any:
        """Make a call and wait for what it gives."""
        return self._made(address, method, args)[0]

    async def call_async(self, address: Address, method: str, args: tuple[Any, ...]) -> Any:
        """`call`, to await on any event loop."""
        return (await self._made_async(address, method, args))[0]

    def acquire(self, address: Address, timeout: float | None) -> _WireHold | None:
        """Have a lock; None when it was not free in time."""
        allowed = Allowance(timeout)
        while True:
            got, wire = self._made(address, "acquire", (allowed.left,), keep=True)
            hold = self._hold(address, got, wire)
            if hold is None or allowed.fresh or hold.stands():
                return hold

    async def acquire_async(self, address: Address, timeout: float | None) -> _WireHold | None:
        """`acquire`, to await on any event loop."""
        allowed = Allowance(timeout)
        while True:
            got, wire = await self._made_async(address, "acquire", (allowed.left,), keep=True)
            hold = self._hold(address, got, wire)
            if hold is None or allowed.fresh or await hold.stands_async():
                return hold

    def ended(self, task: int) -> None:
        """A task has ended: what it still holds is freed."""
        for held in self.holdings.of_task(task):
            self.holdings.remove(held)
            held.hold.drop()

    def used(self, wire: _Wire) -> None:
        """A connection may be used by somebody else."""
        self._idle.append(wire)

    def request(self, address: Address, method: str, args: tuple[Any, ...]) -> Call:
        """A call of the code that asks for it."""
        return Call(address, method, args, self._task())

    def _made(self, address: Address, method: str, args: tuple[Any, ...], *, keep: bool = False) -> tuple[Any, _Wire]:
        wire = self._wire()
        with _dropped(wire):
            outcome = wire.call(self.request(address, method, args))
        return self._settled(outcome, wire, keep), wire

    async def _made_async(
        self, address: Address, method: str, args: tuple[Any, ...], *, keep: bool = False
    ) -> tuple[Any, _Wire]:
        wire = self._wire()
        with _dropped(wire):
            outcome = await wire.call_async(self.request(address, method, args))
        return self._settled(outcome, wire, keep), wire

    def _settled(self, outcome: Outcome, wire: _Wire, keep: bool) -> Any:
        if not keep or outcome.error is not None or outcome.value is None:
            self.used(wire)
        if outcome.error is not None:
            raise outcome.error
        return outcome.value

    def _wire(self) -> _Wire:
        try:
            return self._idle.popleft()
        except IndexError:
            pass
        try:
            return _Wire(self._connect())
        except FileNotFoundError:
            raise not_clustered(self.pool) from None
        except ConnectionRefusedError as error:
            raise CollectionUnavailable(
                f"this node's agent does not answer for its collections ({error}): it has ended, and the node is lost"
            ) from None

    def _hold(self, address: Address, got: tuple[int, int] | None, wire: _Wire) -> _WireHold | None:
        return None if got is None else _WireHold(self, wire, address, *got)


class _WireHold:
    """A held lock, and the connection whose end would free it."""

    def __init__(self, link: Link, wire: _Wire, address: Address, number: int, token: int) -> None:
        self.token = token
        self._link = link
        self._wire = wire
        self._call = link.request(address, "release", (number,))
        self._ask = link.request(address, "stands", (number,))
        self._process = os.getpid()

    def stands(self) -> bool:
        """Whether it is still held; when it is not, it is done with."""
        while True:
            asked = time.monotonic()
            with _dropped(self._wire):
                outcome = self._wire.call(self._ask)
            if fresh(asked) or not outcome.value:
                return self._stood(outcome)

    async def stands_async(self) -> bool:
        """`stands`, to await on any event loop."""
        while True:
            asked = time.monotonic()
            with _dropped(self._wire):
                outcome = await self._wire.call_async(self._ask)
            if fresh(asked) or not outcome.value:
                return self._stood(outcome)

    def release(self) -> None:
        """Free it; in a forked child it is the parent's, and stays."""
        if os.getpid() != self._process:
            return
        with _dropped(self._wire):
            outcome = self._wire.call(self._call)
        self._released(outcome)

    async def release_async(self) -> None:
        """`release`, to await on any event loop."""
        if os.getpid() != self._process:
            return
        with _dropped(self._wire):
            outcome = await self._wire.call_async(self._call)
        self._released(outcome)

    def drop(self) -> None:
        """Free it, by ending its connection."""
        self._wire.close()

    def _stood(self, outcome: Outcome) -> bool:
        if outcome.error is not None:
            self._wire.close()
            raise outcome.error
        if not outcome.value:
            self._link.used(self._wire)
        return bool(outcome.value)

    def _released(self, outcome: Outcome) -> None:
        self._link.used(self._wire)
        if outcome.error is not None:
            raise outcome.error


@contextmanager
def _dropped(wire: _Wire) -> Iterator[None]:
    """Close a connection that is left in the middle of a call."""
    try:
        yield
    except OSError as error:
        wire.close()
        raise CollectionUnavailable(
            f"this node's agent does not answer for its collections ({error}); the call may have been made"
        ) from None
    except BaseException:
        wire.close()
        raise


def _outcome(body: bytes) -> Outcome:
    outcome: Outcome = pickle.loads(body)
    return outcome
