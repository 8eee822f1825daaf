"""Results that come one by one, for `for` and for `async for`."""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import AsyncIterator, Callable, Iterator
from functools import partial
from typing import Any

from skyward_jupyter.actors.courier import CREDIT
from skyward_jupyter.actors.desk import TaskEntry
from skyward_jupyter.actors.dispatch import Dispatch
from skyward_jupyter.actors.ending import StreamEnd
from skyward_jupyter.actors.hub import Hub
from skyward_jupyter.actors.messages import Act
from skyward_jupyter.runtime.bridge import bridge, runtime, wait
from skyward_jupyter.runtime.forks import depth, left_behind, refuse
from skyward_jupyter.runtime.writing import heard
from skyward_jupyter.wire.events import Failure, Outcome

#: How many yields are read before the node may send as many more.
_BATCH = 8


class ResultStream[T]:
    """An iterator over results, usable with ``for`` (blocks) and ``async for``.

    Leaving it early, by ``break`` or an error, stops what still runs for it.
    """

    def __init__(self, source: AsyncIterator[T], close: Callable[[], None]) -> None:
        self._source = source
        self._close = close
        self._over = False
        self._depth = depth()

    def __iter__(self) -> Iterator[T]:
        return self

    def __next__(self) -> T:
        __tracebackhide__ = True
        step, here = self.__anext__(), weakref.ref(self)
        # An error that ends some task meanwhile may keep this frame for a while, but not a stream that was left.
        del self
        try:
            with heard:
                return wait(step, "async for")
        except StopAsyncIteration:
            raise StopIteration from None
        except KeyboardInterrupt:
            if (stream := here()) is not None:
                stream.close()
            raise

    def __aiter__(self) -> AsyncIterator[T]:
        return self

    async def __anext__(self) -> T:
        __tracebackhide__ = True
        refuse(self._depth, "this stream")
        try:
            return await bridge(self._source.__anext__())
        except Exception:
            self._over = True
            raise
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Stop what still runs for it."""
        if not self._over and not left_behind(self._depth):
            self._over = True
            runtime().call_soon(self._close)

    def __del__(self) -> None:
        if not self._over and not left_behind(self._depth) and not runtime().loop.is_closed():
            self.close()


def _note(failed: asyncio.Future[BaseException], future: asyncio.Future[Outcome]) -> None:
    """Keep the first error."""
    outcome = future.result()
    if isinstance(outcome, Failure) and not failed.done():
        failed.set_result(outcome.error)


def yields_of(hub: Hub, dispatch: Dispatch, entry: TaskEntry) -> ResultStream[Any]:
    """What the generator of a task yields."""

    async def read() -> AsyncIterator[Any]:
        assert entry.yields is not None
        count = entry.had
        if entry.adopted:
            grant(count)
        while True:
            item = await entry.yields.get()
            if isinstance(item, StreamEnd):
                if isinstance(item.outcome, Failure):
                    raise item.outcome.error
                return
            yield item
            count += 1
            if (count - entry.had) % _BATCH == 0:
                grant(count)

    def grant(read: int) -> None:
        if entry.rank is not None and not entry.outcome.done():
            hub.node(entry.rank).tell(Act(entry.id, "credit", CREDIT + read))

    def close() -> None:
        if not entry.outcome.done():
            if entry.rank is not None:
                hub.node(entry.rank).tell(Act(entry.id, "close"))
            dispatch.stop([entry], "interrupt")

    return ResultStream(read(), close)


def outcomes_of(
    dispatch: Dispatch, entries: list[TaskEntry], *, ordered: bool, fail_fast: bool = False
) -> ResultStream[Any]:
    """The values of tasks while others still run, in their order or as they come; the first error ends it.

    With `ordered`, that is the first in their order; with `fail_fast`, the one that comes first.
    """
    failed = [asyncio.get_running_loop().create_future()] if ordered and fail_fast else []
    for entry in entries if failed else ():
        entry.outcome.add_done_callback(partial(_note, failed[0]))

    async def read() -> AsyncIterator[Any]:
        try:
            waiting = [entry.outcome for entry in entries]
            while waiting:
                done = {waiting[0]}
                if ordered:
                    await asyncio.wait([*done, *failed], return_when=asyncio.FIRST_COMPLETED)
                    if failed and failed[0].done():
                        raise failed[0].result()
                else:
                    done, _ = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
                for future in [future for future in waiting if future in done]:
                    waiting.remove(future)
                    outcome = future.result()
                    if isinstance(outcome, Failure):
                        raise outcome.error
                    yield outcome.value
        finally:
            dispatch.stop(entries, "interrupt")

    return ResultStream(read(), lambda: dispatch.stop(entries, "interrupt"))
