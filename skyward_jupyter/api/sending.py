"""How calls of a pool are sent and waited for: by code that blocks, code that awaits, and code that goes on.

Whoever goes on is not held up: a call is pickled where it is made, and those made one after the other reach the loop
together.
"""

from __future__ import annotations

import contextvars
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from skyward_jupyter.api.answer import Answer
from skyward_jupyter.api.calls import Calls, Pending
from skyward_jupyter.api.compute import PendingCompute, PendingGroup
from skyward_jupyter.api.echo import Echo
from skyward_jupyter.api.future import PoolFuture
from skyward_jupyter.api.gathering import carry
from skyward_jupyter.api.inputs import refuse_own_loop
from skyward_jupyter.api.parts import Parts
from skyward_jupyter.errors import NodeLost, SlotDied
from skyward_jupyter.runtime.bridge import runtime, wait
from skyward_jupyter.runtime.writing import heard

#: How many of the calls that came together are begun in one turn of the loop.
_AT_ONCE = 200


class Sending:
    """Sends the calls of one pool.

    Parameters
    ----------
    calls
        Gives the pool's calls; raises where it takes none.
    size
        Gives how many nodes it has.
    """

    def __init__(self, calls: Callable[[], Calls], size: Callable[[], int]) -> None:
        self._calls = calls
        self._size = size
        self._made: deque[Answer] = deque()
        self._told = False

    def run_blocking(self, pending: Pending) -> Any:
        """Run a call on any free slot, or several side by side; blocks."""
        __tracebackhide__ = True
        calls = calls_of(pending)
        refuse_own_loop(source for call in calls for source in call._sources)
        with heard:
            if isinstance(pending, PendingGroup):
                return self._gather_blocking(pending)
            try:
                return wait(self._calls().work(pending), "await pool.run(...)", calls=1)
            except (NodeLost, SlotDied) as error:
                raise _of_call(error, pending)  # noqa: B904

    def _gather_blocking(self, group: PendingGroup) -> Any:
        """The same of a group; interrupted, what is raised carries the results that are there."""
        __tracebackhide__ = True
        started: list[Parts] = []
        try:
            return wait(self._calls().gather(group, started), "await pool.run(...)", calls=len(group._calls))
        except KeyboardInterrupt as error:
            if started:
                carry(error, started[0].so_far())
            raise
        except (NodeLost, SlotDied) as error:
            found = getattr(error, "gathered", None)
            places = [place for place, one in found.errors.items() if one is error] if found is not None else [0]
            raise _of_call(error, group._calls[places[0]])  # noqa: B904

    def broadcast_blocking(self, pending: PendingCompute[Any]) -> list[Any]:
        """Run a call on every node; blocks."""
        __tracebackhide__ = True
        with heard:
            return wait(self._calls().broadcast(pending), "await pool.broadcast(...)", calls=self._size())

    def submit(self, pending: Pending) -> PoolFuture[Any]:
        """Start a call and return its future; it is pickled when this returns."""
        calls, here = self._calls(), runtime()
        if isinstance(pending, PendingGroup) or pending._streams or pending._sources:
            return on_loop(lambda: calls.submit(pending))
        try:
            answer = calls.pickled(pending)
        except Exception as error:
            return _failed(error)
        future: PoolFuture[Any] = PoolFuture(answer.stop, answer.waits_for)
        answer.add_done_callback(future._take)
        if not answer.is_small:
            on_loop(lambda: answer.start(_unseen()))
            return future
        self._made.append(answer)
        if not self._told:
            self._told = True
            here.attend(self._begin)
        return future

    def _begin(self) -> None:
        """Begin what was made meanwhile."""
        self._told = False
        for _ in range(min(len(self._made), _AT_ONCE)):
            self._made.popleft().start(_unseen())
        if self._made and not self._told:
            self._told = True
            runtime().loop.call_soon(self._begin)


def calls_of(pending: Pending) -> Sequence[PendingCompute[Any]]:
    """The calls of a group, or the one that it is."""
    return pending._calls if isinstance(pending, PendingGroup) else (pending,)


def on_loop[T](work: Callable[[], T]) -> T:
    """Do something on the loop from wherever we are; it does not wait for anything."""
    if runtime().on_loop:
        return work()

    async def run() -> T:
        return work()

    return wait(run())


def _of_call[E: BaseException](error: E, call: PendingCompute[Any]) -> E:
    """`error` with a note of the call, which the process that knew it can no longer tell."""
    error.add_note(f"the call was {call._text()}")
    return error


def _unseen() -> Echo:
    """Where the output of a call goes that nobody waits for: to whatever is shown when it comes."""
    return Echo(contextvars.Context())


def _failed(error: Exception) -> PoolFuture[Any]:
    future: PoolFuture[Any] = PoolFuture(lambda _: None)
    future.set_exception(error)
    return future
