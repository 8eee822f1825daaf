"""Results that come one by one, for `for` and for `async for`."""

from __future__ import annotations

import asyncio
import weakref
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from functools import partial
from typing import Any

from skyward_jupyter.actors.desk import TaskEntry, Yielded
from skyward_jupyter.actors.dispatch import Dispatch
from skyward_jupyter.actors.ending import StreamEnd
from skyward_jupyter.actors.hub import Hub
from skyward_jupyter.actors.messages import Act
from skyward_jupyter.api.gathering import carry
from skyward_jupyter.api.parts import Parts
from skyward_jupyter.runtime.awake import ANY_NUMBER
from skyward_jupyter.runtime.bridge import bridge, runtime, wait
from skyward_jupyter.runtime.forks import depth, left_behind, refuse
from skyward_jupyter.runtime.writing import heard
from skyward_jupyter.wire.events import Failure, Outcome
from skyward_jupyter.wire.feeds import BYTES_WINDOW, FIRST_WINDOW, LAST_WINDOW
from skyward_jupyter.wire.stays import Stays


class ResultStream[T]:
    """An iterator over results, usable with ``for`` (blocks) and ``async for``.

    Leaving it early, by ``break`` or an error, stops what still runs for it.

    Parameters
    ----------
    source
        Gives results by the piece, as many as there are; asked again, it knows that they were read.
    """

    def __init__(self, source: AsyncIterator[Iterable[T]], close: Callable[[], None]) -> None:
        self._source = source
        self._close = close
        self._ready: deque[T] = deque()
        self._over = False
        self._depth = depth()

    def __reduce__(self) -> Any:
        raise Stays(
            self,
            "a stream of results stays where it is read",
            "send list(stream), or annotate the parameter Iterator[...] to have it streamed",
        )

    def __iter__(self) -> Iterator[T]:
        return self

    def __next__(self) -> T:
        __tracebackhide__ = True
        if self._ready:
            return self._ready.popleft()
        step, here = self.__anext__(), weakref.ref(self)
        # An error that ends some task meanwhile may keep this frame for a while, but not a stream that was left.
        del self
        try:
            with heard:
                return wait(step, "async for", calls=ANY_NUMBER)
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
        while not self._ready:
            refuse(self._depth, "this stream")
            try:
                self._ready.extend(await bridge(self._source.__anext__(), calls=ANY_NUMBER))
            except Exception:
                self._over = True
                raise
            except BaseException:
                self.close()
                raise
        return self._ready.popleft()

    def close(self) -> None:
        """Stop what still runs for it."""
        self._ready.clear()
        if not self._over and not left_behind(self._depth):
            self._over = True
            runtime().call_soon(self._close)

    def __del__(self) -> None:
        if not self._over and not left_behind(self._depth) and not runtime().loop.is_closed():
            self.close()


class _Wanted:
    """How much a reader of yields wants: a few at a time, and more while it has to wait for them."""

    def __init__(self, had: int, grant: Callable[[int, int], None]) -> None:
        self._grant = grant
        self._window = FIRST_WINDOW
        self._read = had
        self._granted = had + FIRST_WINDOW
        self._size = 0

    @property
    def at_once(self) -> int:
        """How many may be handed over before the node hears of it."""
        return self._window // 2

    def read(self, count: int, size: int) -> None:
        """So many more were read."""
        self._read += count
        self._size += size
        if 2 * (self._granted - self._read) <= self._window or 2 * self._size >= BYTES_WINDOW:
            self.tell()

    def widen(self) -> None:
        """The reader has to wait for a node that waits for the reader."""
        if self._window < LAST_WINDOW:
            self._window *= 2
            self.tell()

    def tell(self) -> None:
        """Let the node go on."""
        self._granted, self._size = self._read + self._window, 0
        self._grant(self._granted, self._read)


def _note(failed: asyncio.Future[Failure], future: asyncio.Future[Outcome]) -> None:
    """Keep the first error."""
    outcome = future.result()
    if isinstance(outcome, Failure) and not failed.done():
        failed.set_result(outcome)


def yields_of(hub: Hub, dispatch: Dispatch, entry: TaskEntry) -> ResultStream[Any]:
    """What the generator of a task yields."""

    async def read() -> AsyncIterator[Sequence[object]]:
        assert entry.yields is not None
        wanted, full = _Wanted(entry.had, grant), False
        if entry.adopted:
            wanted.tell()
        while True:
            if full and entry.yields.empty():
                wanted.widen()
            item = await entry.yields.get()
            if isinstance(item, StreamEnd):
                if isinstance(item.outcome, Failure):
                    raise item.outcome.error
                return
            assert isinstance(item, Yielded)
            values, left = item.values, item.size
            while values:
                piece, values = values[: wanted.at_once], values[wanted.at_once :]
                yield piece
                size = left * len(piece) // (len(piece) + len(values))
                left -= size
                wanted.read(len(piece), size)
            full = item.full

    def grant(most: int, read: int) -> None:
        if entry.rank is not None and not entry.outcome.done():
            hub.node(entry.rank).tell(Act(entry.id, "credit", most, read))

    def close() -> None:
        if not entry.outcome.done():
            if entry.rank is not None:
                hub.node(entry.rank).tell(Act(entry.id, "close"))
            dispatch.stop([entry], "interrupt")

    return ResultStream(read(), close)


def outcomes_of(
    parts: Parts,
    *,
    ordered: bool,
    raises: bool,
    fail_fast: bool = False,
    followed: AbstractContextManager[None],
) -> ResultStream[Any]:
    """The values of calls while others still run, in their order or as they come.

    The first error ends it, which carries what the others gave, unless errors are given as values: with `ordered`, that
    is the first in their order; with `fail_fast`, the one that comes first. It is read inside `followed`.
    """
    outcomes = parts.outcomes
    failed = [asyncio.get_running_loop().create_future()] if ordered and fail_fast else []
    for future in outcomes if failed else ():
        future.add_done_callback(partial(_note, failed[0]))

    async def read() -> AsyncIterator[Sequence[object]]:
        try:
            with followed:
                ended = _in_order(outcomes, failed) if ordered else _as_they_come(outcomes)
                async for some in ended:
                    values: list[object] = []
                    for outcome in some:
                        if not isinstance(outcome, Failure):
                            values.append(outcome.value)
                            continue
                        if raises:
                            if values:
                                yield values
                            raise carry(outcome.error, parts.so_far(outcome.error))
                        values.append(outcome.error)
                    yield values
        finally:
            parts.stop()

    return ResultStream(read(), parts.stop)


async def _in_order(
    futures: Sequence[asyncio.Future[Outcome]], failed: list[asyncio.Future[Failure]]
) -> AsyncIterator[list[Outcome]]:
    """How tasks ended, each after those before it, until one of `failed` is done."""
    waiting = deque(futures)
    while waiting:
        either: list[asyncio.Future[Any]] = [waiting[0], *failed]
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        if failed and failed[0].done():
            yield [failed[0].result()]
            return
        some = []
        while waiting and waiting[0].done():
            some.append(waiting.popleft().result())
        yield some


async def _as_they_come(futures: Sequence[asyncio.Future[Outcome]]) -> AsyncIterator[list[Outcome]]:
    """How tasks ended, each as soon as it has."""
    ended: asyncio.Queue[asyncio.Future[Outcome]] = asyncio.Queue()
    for future in futures:
        future.add_done_callback(ended.put_nowait)
    left = len(futures)
    while left:
        some = [(await ended.get()).result()]
        while not ended.empty():
            some.append(ended.get_nowait().result())
        left -= len(some)
        yield some
