"""`Executor`: a pool behind the interface of `concurrent.futures`, over the HTTP API of its nodes.

It keeps the contract of that module, of which it is a stricter part that jobs which run can be cancelled. Jobs run to
their end also when nobody refers to the executor any more, and before the program ends.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import itertools
import weakref
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from weakref import WeakKeyDictionary

from skyward_jupyter.actors.dispatch import Call, blame
from skyward_jupyter.agent.jobcall import each
from skyward_jupyter.api.backlog import CLOSED, Backlog
from skyward_jupyter.api.compute import ComputeFunction
from skyward_jupyter.api.job import Item, JobFuture
from skyward_jupyter.api.mapbar import MapBar, total_of
from skyward_jupyter.api.mapped import flat, mapped
from skyward_jupyter.api.output import Keep, keeper
from skyward_jupyter.api.pool import ComputePool
from skyward_jupyter.api.progress import checked_progress
from skyward_jupyter.api.registry import pool as active_pool
from skyward_jupyter.api.spec import is_count
from skyward_jupyter.api.supply import Shared
from skyward_jupyter.api.waiting import waits_for
from skyward_jupyter.errors import NoRoom, UsageError
from skyward_jupyter.runtime.bridge import runtime, wait
from skyward_jupyter.wire.blame import explain
from skyward_jupyter.wire.blobs import Blob, BlobStore
from skyward_jupyter.wire.envelope import Packed
from skyward_jupyter.wire.functions import reads, same

type _Function = Callable[..., Any]


class Executor(concurrent.futures.Executor):
    """Runs functions on the nodes of a pool, as `concurrent.futures.ProcessPoolExecutor` does on this machine.

    `concurrent.futures.wait` and `as_completed` work with its futures, whose done-callbacks may block. A future can be
    cancelled while its job runs, which stops the job; an interrupt that leaves its ``with`` block stops all of them. A
    job whose node was lost raises `NodeLost`, one whose process died `SlotDied`; both are also
    `concurrent.futures.BrokenExecutor`, and other jobs go on. A job that had not reached its node runs elsewhere.

    Without `shutdown`, its jobs run to their end when the last reference to it goes, and when the program ends; then
    a pool that it started stops. In a notebook, the end of the kernel does not wait for them.

    Parameters
    ----------
    pool
        The pool to use, which goes on after this executor; without one and without `nodes`, the active pool.
    nodes
        Start a pool of so many nodes instead, and stop it at `shutdown`.
    max_workers
        Jobs at a time; as many as the nodes have slots when not given.
    initializer, initargs
        Called once in each slot, before the first job there: what it binds in its module is there for the jobs. When
        it raises, the executor is broken, and its jobs raise `ExecutorBroken`.
    max_tasks_per_child
        How many jobs a slot's process runs before another takes its place.
    options
        What else `ComputePool` takes, for the pool that is started.
    """

    def __init__(
        self,
        pool: ComputePool | None = None,
        *,
        nodes: int | None = None,
        max_workers: int | None = None,
        initializer: Callable[..., object] | None = None,
        initargs: tuple[Any, ...] = (),
        max_tasks_per_child: int | None = None,
        **options: Any,
    ) -> None:
        if max_workers is not None and not is_count(max_workers):
            text = f"max_workers must be greater than 0, and it is {max_workers!r}"
            raise UsageError(f"{text}; give a whole number, or leave it out")
        if pool is not None and not isinstance(pool, ComputePool):
            raise UsageError(f"pool is {pool!r}, and no pool; for a new one say how many nodes, as in nodes=4")
        if pool is not None and (nodes is not None or options):
            raise UsageError("give a pool, or what a new one is to be like; not both")
        _check_start(initializer, initargs, max_tasks_per_child)
        own = nodes is not None or bool(options)
        self._pool = ComputePool(nodes=nodes or 1, **options).start() if own else pool or active_pool()
        if max_tasks_per_child and self._pool.worker.executor == "thread":
            raise UsageError("max_tasks_per_child wants slots that are processes, and those of this pool are threads")
        self._most = max_workers
        self._most_tasks = max_tasks_per_child or 0
        self._backlog = Backlog(
            self._pool._inner, max_workers, _shared_with(self._pool), lasting=not runtime().in_kernel
        )
        self._over = _end_of(self._pool, own, self._backlog)
        self._shut = False
        self._functions: WeakKeyDictionary[_Function, tuple[tuple[object, ...], bytes]] = WeakKeyDictionary()
        self._initializer = self._start_of(initializer, initargs)
        # The program's end has its own way to close it.
        weakref.finalize(self, self._backlog.close, cancel=False).atexit = False

    @property
    def pool(self) -> ComputePool:
        """The pool it uses."""
        return self._pool

    @property
    def max_workers(self) -> int:
        """Jobs at a time: the number that was given, or the slots that the nodes of the pool have now."""
        return self._most or max(1, self._pool.size) * self._pool._inner.concurrency

    @property
    def _max_workers(self) -> int:
        """`max_workers`, where libraries look for it."""
        return self.max_workers

    def submit[**P, T](self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> JobFuture[T]:
        """Run ``fn(*args, **kwargs)`` on a node and return its future.

        Function and arguments are pickled now: what changes here later is not seen there.

        Raises
        ------
        RuntimeError
            It was shut down.
        ExecutorBroken
            It runs no more jobs.
        NotPicklable
            The function or an argument cannot travel.
        """
        function, timeout = _plain(fn)
        return self._queued(function, args, kwargs, timeout, keeper(function))

    def _queued(
        self, function: _Function, args: tuple[Any, ...], kwargs: dict[str, Any], timeout: float, keep: Keep | None
    ) -> JobFuture[Any]:
        self._backlog.check()
        if self._shut:
            raise RuntimeError(CLOSED)
        packed, blobs = self._packed(function)
        try:
            rest, more = self._backlog.supply.pack((args, kwargs))
        except Exception as error:
            self._backlog.supply.release(blobs)
            raise error if isinstance(error, NoRoom) else blame(Call(function, args, kwargs), error) from None
        blobs += more
        initializer, start_blobs = self._initializer
        self._backlog.supply.hold(start_blobs)
        blobs += start_blobs
        name = _name_of(function)
        future: JobFuture[Any] = JobFuture(self._backlog.withdraw, self._backlog.call_back, name)
        call = Packed(packed, rest, self._backlog.name, initializer)
        try:
            self._backlog.add(Item(call, future, blobs, self._most_tasks, timeout, keep, name=name))
        except BaseException:
            self._backlog.supply.release(blobs)
            raise
        return future

    def map[T](
        self,
        fn: Callable[..., T],
        *iterables: Iterable[Any],
        timeout: float | None = None,
        chunksize: int = 1,
        buffersize: int | None = None,
        progress: bool | None = None,
    ) -> Iterator[T]:
        """`fn` over items, side by side; the results in order.

        Jobs that have not ended when the iterator is left, or raises, are cancelled. What it raises carries the results
        behind it that are there, as ``error.gathered``.

        Parameters
        ----------
        timeout
            Seconds from now until the last result; `TimeoutError` after that.
        chunksize
            How many items make one job. A limit that `fn` has on its time counts for each of them, on average.
        buffersize
            How many jobs there may be whose results were not taken yet. Items are read as results are taken, so there
            may be any number of them; all are read at once when not given.
        progress
            Whether the cell that reads the results shows a bar: at once, or never; when not given, after two seconds.
        """
        checked_progress(progress)
        if not is_count(chunksize):
            raise ValueError(f"chunksize is {chunksize!r}; it is a whole number from 1 on")
        if buffersize is not None and not isinstance(buffersize, int):
            raise TypeError(f"buffersize is {buffersize!r}; it is a whole number from 1 on, or None")
        if buffersize is not None and not is_count(buffersize):
            raise ValueError(f"buffersize is {buffersize!r}; it is a whole number from 1 on, or None")
        function, limit = _plain(fn)
        keep = keeper(function)
        bar = None
        if runtime().in_kernel:
            bar = MapBar(_name_of(function), total_of(iterables), chunksize, progress)
        items = zip(*iterables, strict=False)
        if chunksize == 1:
            one = partial(self._queued, function)
            return mapped(lambda args: one(args, {}, limit, keep), items, timeout, buffersize, bar=bar)
        several = partial(self._queued, partial(each, function))
        chunks = itertools.batched(items, chunksize)

        def submit(chunk: tuple[tuple[Any, ...], ...]) -> JobFuture[Any]:
            return several((chunk,), {}, limit * len(chunk), keep)

        return flat(mapped(submit, chunks, timeout, buffersize, chunksize, bar))

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
        if wait and self._backlog.here and not self._backlog.in_callback:
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
        if runtime().waits_here:
            wait(self._ended(), "executor.shutdown(wait=False)")
        else:
            self._over.result()
        self._backlog.join()

    async def _ended(self) -> None:
        with waits_for(self._waits_for):
            await asyncio.shield(asyncio.wrap_future(self._over))  # interrupted, it ends nevertheless

    def _waits_for(self) -> str:
        left = self._backlog.left
        return f"{left} job{'s' * (left != 1)} of the executor" if left else "the executor to end"

    def _packed(self, function: _Function) -> tuple[bytes, tuple[Blob, ...]]:
        """A function packed: once, as long as nothing it takes along has changed and nothing of it is large."""
        now = reads(function)
        known = self._functions.get(function) if now is not None else None
        if known is not None and same(known[0], now):
            return known[1], ()
        try:
            packed, blobs = self._backlog.supply.pack(function)
        except NoRoom:
            raise
        except Exception:
            raise explain(getattr(function, "__name__", "the function"), function) from None
        if now is not None and not blobs:
            self._functions[function] = now, packed
        return packed, blobs

    def _start_of(
        self, initializer: Callable[..., object] | None, arguments: tuple[Any, ...]
    ) -> tuple[bytes, tuple[Blob, ...]]:
        """The initializer and its arguments, packed together, for as long as the executor is there."""
        if initializer is None:
            return b"", ()
        try:
            return self._backlog.supply.pack((initializer, arguments))
        except Exception as error:
            self._backlog.close(cancel=True)
            raise error if isinstance(error, NoRoom) else blame(Call(initializer, arguments, {}), error) from None


def _end_of(pool: ComputePool, own: bool, backlog: Backlog) -> concurrent.futures.Future[None]:
    """What is done when the last job has ended, and a pool of the executor's own. The executor itself may be gone."""
    over: concurrent.futures.Future[None] = concurrent.futures.Future()

    async def stop() -> None:
        try:
            await pool.stop_async()
        finally:
            over.set_result(None)

    def rested(_: object) -> None:
        if own:
            here = runtime()
            here.call_soon(lambda: here.spawn(stop()))
        else:
            over.set_result(None)

    backlog.idle.add_done_callback(rested)
    return over


def _check_start(initializer: object, arguments: object, tasks: int | None) -> None:
    """Refuse what cannot be as `ProcessPoolExecutor` does."""
    if initializer is not None and not callable(initializer):
        raise TypeError(f"initializer is {initializer!r}; it is a function, called with initargs in each slot")
    if not isinstance(arguments, tuple):
        raise TypeError(f"initargs is {arguments!r}; it is a tuple, as in initargs=(1, 2)")
    if tasks is not None and not isinstance(tasks, int):
        raise TypeError(f"max_tasks_per_child is {tasks!r}; it is a whole number from 1 on, or None")
    if tasks is not None and not is_count(tasks):
        raise UsageError(f"max_tasks_per_child is {tasks!r}; it is a whole number from 1 on, or None")


def _shared_with(pool: ComputePool) -> Shared:
    """Where the nodes of a pool read what is written here, if they do."""

    def shared() -> Path | None:
        store = pool._inner.hub.payloads.store
        return store.directory.parent if isinstance(store, BlobStore) else None

    return shared


def _name_of(function: _Function) -> str:
    while isinstance(function, partial):
        function = function.args[0] if function.func is each else function.func
    return str(getattr(function, "__name__", ""))


def _plain(fn: _Function) -> tuple[_Function, float]:
    """The function itself, and how long a call of it may take; 0 for any time."""
    return (fn.function, fn._timeout) if isinstance(fn, ComputeFunction) else (fn, 0.0)
