"""`Executor`: a pool behind the interface of `concurrent.futures`, over the HTTP API of its nodes."""

from __future__ import annotations

import asyncio
import concurrent.futures
import itertools
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from types import TracebackType
from typing import Any, Self
from weakref import WeakKeyDictionary

from skyward_jupyter.actors.dispatch import Call, blame
from skyward_jupyter.agent.jobcall import each
from skyward_jupyter.api.backlog import CLOSED, Backlog
from skyward_jupyter.api.compute import ComputeFunction
from skyward_jupyter.api.job import Item, JobFuture
from skyward_jupyter.api.output import keeper
from skyward_jupyter.api.pool import ComputePool
from skyward_jupyter.api.registry import pool as active_pool
from skyward_jupyter.api.spec import is_count
from skyward_jupyter.errors import NoRoom, UsageError
from skyward_jupyter.runtime.bridge import runtime, wait
from skyward_jupyter.wire import envelope
from skyward_jupyter.wire.blame import explain
from skyward_jupyter.wire.codec import dumps
from skyward_jupyter.wire.contained import contained
from skyward_jupyter.wire.functions import reads, same

type _Function = Callable[..., Any]
type Keep = Callable[[int, bool], str]


class Executor(concurrent.futures.Executor):
    """Runs functions on the nodes of a pool, as `concurrent.futures.ProcessPoolExecutor` does on this machine.

    `concurrent.futures.wait` and `as_completed` work with its futures. A future can be cancelled while its job runs,
    which stops the job; an interrupt that leaves its ``with`` block stops all of them. A job whose node was lost raises
    `NodeLost`; one that had not reached its node runs elsewhere.

    Parameters
    ----------
    pool
        The pool to use, which goes on after this executor; without one and without `nodes`, the active pool.
    nodes
        Start a pool of so many nodes instead, and stop it at `shutdown`.
    max_workers
        Jobs at a time; as many as the nodes have slots when not given.
    options
        What else `ComputePool` takes, for the pool that is started.
    """

    def __init__(
        self,
        pool: ComputePool | None = None,
        *,
        nodes: int | None = None,
        max_workers: int | None = None,
        **options: Any,
    ) -> None:
        if max_workers is not None and not is_count(max_workers):
            raise UsageError(f"max_workers is {max_workers!r}; give a whole number from 1 on, or leave it out")
        if pool is not None and (nodes is not None or options):
            raise UsageError("give a pool, or what a new one is to be like; not both")
        self._own = nodes is not None or bool(options)
        self._pool = ComputePool(nodes=nodes or 1, **options).start() if self._own else pool or active_pool()
        self._backlog = Backlog(self._pool, max_workers)
        self._backlog.idle.add_done_callback(self._rested)
        self._over: concurrent.futures.Future[None] = concurrent.futures.Future()
        self._shut = False
        self._functions: WeakKeyDictionary[_Function, tuple[tuple[object, ...], bytes]] = WeakKeyDictionary()

    @property
    def pool(self) -> ComputePool:
        """The pool it uses."""
        return self._pool

    def submit[**P, T](self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> JobFuture[T]:
        """Run ``fn(*args, **kwargs)`` on a node and return its future.

        Function and arguments are pickled now: what changes here later is not seen there.

        Raises
        ------
        RuntimeError
            It was shut down.
        NotPicklable
            The function or an argument cannot travel.
        """
        function, timeout = _plain(fn)
        return self._queued(function, args, kwargs, timeout, keeper(function))

    def _queued(
        self, function: _Function, args: tuple[Any, ...], kwargs: dict[str, Any], timeout: float, keep: Keep | None
    ) -> JobFuture[Any]:
        if self._shut:
            raise RuntimeError(CLOSED)
        pickled = self._pickled(function)
        try:
            with contained("pickling"):
                rest = dumps((args, kwargs))
        except Exception as error:
            raise blame(Call(function, args, kwargs), error) from None
        if len(pickled) + len(rest) > envelope.LIMIT:
            size, limit = (len(pickled) + len(rest)) / 2**20, envelope.LIMIT / 2**20
            raise NoRoom(f"the call has {size:.0f} MiB, a job at most {limit:.0f}; let it read its data on the node")
        future: JobFuture[Any] = JobFuture(lambda: self._backlog.withdraw(future))
        self._backlog.add(Item(pickled, rest, future, timeout, keep))
        return future

    def map[T](
        self, fn: Callable[..., T], *iterables: Iterable[Any], timeout: float | None = None, chunksize: int = 1
    ) -> Iterator[T]:
        """`fn` over items, side by side; the results in order.

        Parameters
        ----------
        timeout
            Seconds from now until the last result; `TimeoutError` after that.
        chunksize
            How many items make one job. A limit that `fn` has on its time counts for each of them, on average.
        """
        if not is_count(chunksize):
            raise ValueError(f"chunksize is {chunksize!r}; it is a whole number from 1 on")
        if chunksize == 1:
            return super().map(fn, *iterables, timeout=timeout)
        chunks = itertools.batched(zip(*iterables, strict=False), chunksize)
        return itertools.chain.from_iterable(_Chunks(self._queued, fn).map(each, chunks, timeout=timeout))

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Take no more jobs; those there are run to their end.

        Parameters
        ----------
        wait
            Return once they have ended, and a pool of its own has.
        cancel_futures
            Cancel those that wait for a slot.
        """
        self._shut = True
        self._backlog.close(cancel=cancel_futures)
        if wait:
            self._wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        if kind is not None and issubclass(kind, KeyboardInterrupt):
            self._backlog.interrupt()
        self.shutdown(wait=True)

    def __repr__(self) -> str:
        return f"<Executor on pool {self._pool.name!r}{', shut down' * self._shut}>"

    def _wait(self) -> None:
        """Wait for the end of everything; a notebook's loop goes on meanwhile."""
        if runtime().on_loop:
            # Interrupted, it ends nevertheless.
            wait(asyncio.shield(asyncio.wrap_future(self._over)), "executor.shutdown(wait=False)")
        else:
            self._over.result()
        self._backlog.join()

    def _rested(self, _: object) -> None:
        """The last job has ended."""
        if self._own:
            here = runtime()
            here.call_soon(lambda: here.spawn(self._stop_pool()))
        else:
            self._over.set_result(None)

    async def _stop_pool(self) -> None:
        try:
            await self._pool.stop_async()
        finally:
            self._over.set_result(None)

    def _pickled(self, function: _Function) -> bytes:
        """A function's bytes: made once, as long as nothing it takes along has changed."""
        now = reads(function)
        known = self._functions.get(function) if now is not None else None
        if known is not None and same(known[0], now):
            return known[1]
        try:
            with contained("pickling"):
                pickled = dumps(function)
        except Exception:
            raise explain(getattr(function, "__name__", "the function"), function) from None
        if now is not None:
            self._functions[function] = now, pickled
        return pickled


class _Chunks(concurrent.futures.Executor):
    """Makes a job of each chunk of items, by the rules of the function that gets the items."""

    def __init__(self, queue: Callable[..., JobFuture[Any]], fn: _Function) -> None:
        function, self._timeout = _plain(fn)
        self._each = partial(each, function)
        self._keep = keeper(function)
        self._queue = queue

    def submit(self, fn: _Function, /, *args: Any, **kwargs: Any) -> JobFuture[Any]:
        """Queue the one chunk in `args`."""
        (chunk,) = args
        return self._queue(self._each, args, kwargs, self._timeout * len(chunk), self._keep)


def _plain(fn: _Function) -> tuple[_Function, float]:
    """The function itself, and how long a call of it may take; 0 for any time."""
    return (fn.function, fn.timeout) if isinstance(fn, ComputeFunction) else (fn, 0.0)
