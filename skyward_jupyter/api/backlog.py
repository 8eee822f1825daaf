"""The jobs of an executor: those that wait, in order, and those on their way, spread over the nodes by free slots.

They live on an event loop in a thread of their own. `concurrent.futures.wait` and `as_completed` block the thread that
calls them, which in a notebook is the one of the kernel's loop; nothing here needs that loop. Nor does anything of the
user's run on it: done-callbacks have threads of their own.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import itertools
import logging
import os
import threading
import uuid
from collections import Counter, deque
from collections.abc import Callable
from functools import partial
from typing import Any, Protocol
from weakref import WeakValueDictionary

from skyward_jupyter.actors.desk import NodeView
from skyward_jupyter.api.callbacks import Callback, Callbacks
from skyward_jupyter.api.job import Item, JobFuture
from skyward_jupyter.api.jobs import NodeJobs, NotBegun, Parts, client
from skyward_jupyter.api.lastly import close_in_the_end
from skyward_jupyter.api.supply import Shared, Supply
from skyward_jupyter.errors import ExecutorBroken, NodeLost, PoolStopped
from skyward_jupyter.tasks import begin, promise

log = logging.getLogger("skyward")

#: Seconds jobs wait while no node of the pool can be reached, and between two looks at the pool.
NODES_WITHIN = 60.0
_LOOK = 0.1
#: What `concurrent.futures` says, too.
CLOSED = "cannot schedule new futures after shutdown"
#: Seconds a node that did not answer is left alone.
_SHUN = 1.0

_threads = itertools.count(1)


class Nodes(Protocol):
    """What is needed of a pool. Read from another thread than its own."""

    @property
    def name(self) -> str:
        """What it is called."""
        ...

    @property
    def state(self) -> str:
        """Where the pool stands."""
        ...

    @property
    def concurrency(self) -> int:
        """Slots of a node."""
        ...

    @property
    def nodes(self) -> tuple[NodeView, ...]:
        """The nodes."""
        ...

    @property
    def endpoints(self) -> dict[int, str]:
        """URLs of the nodes that can be reached."""
        ...

    @property
    def token(self) -> str:
        """What they want to be shown."""
        ...

    def count_job(self, rank: int, change: int) -> None:
        """A node has one job more, or one less."""
        ...

    async def inform(self, rank: int) -> None:
        """Have a node know the user's own modules as they are here now."""
        ...


class Backlog:
    """The jobs of one executor.

    Parameters
    ----------
    most
        Jobs on their way at a time; None for as many as the nodes have slots.
    shared
        Gives the directory that the nodes read too, if there is one.
    lasting
        Whether the program is to end no sooner than the jobs.

    Attributes
    ----------
    name
        What tells it from all others.
    supply
        The large parts of its jobs.
    broken
        Why it runs no more jobs, if that is so.
    idle
        Done once it is closed, all jobs have ended, and all their done-callbacks.
    """

    def __init__(self, nodes: Nodes, most: int | None, shared: Shared, *, lasting: bool) -> None:
        self.name = uuid.uuid4().hex
        self.supply = Supply(self.name, shared)
        self.broken: ExecutorBroken | None = None
        self._nodes = nodes
        self._process = os.getpid()
        self._most = most
        self._http = client(nodes.token)
        self._waiting: deque[Item] = deque()
        self._placed: Counter[int] = Counter()
        self._running: dict[JobFuture[Any], tuple[Item, asyncio.Task[bool]]] = {}
        self._forgetting: set[asyncio.Task[None]] = set()
        self._instances: dict[str, str] = {}
        self._shunned: dict[int, float] = {}
        self._sending: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._looking: asyncio.TimerHandle | None = None
        self._reached = 0.0
        self._closing = False
        self._stopping: asyncio.Task[None] | None = None
        self.idle: concurrent.futures.Future[None] = concurrent.futures.Future()
        self._loop = asyncio.new_event_loop()
        number = next(_threads)
        self._callbacks = Callbacks(self._loop, f"skyward-callbacks-{number}", self._rest)
        self._thread = threading.Thread(target=self._run, name=f"skyward-executor-{number}", daemon=not lasting)
        self._thread.start()
        if lasting:
            close_in_the_end(self)

    # -- from any thread -------------------------------------------------------------------------------------------

    def add(self, item: Item) -> None:
        """Put a job at the end.

        Raises
        ------
        RuntimeError
            It was closed.
        ExecutorBroken
            It runs no more jobs.
        """
        self.check()
        if self._closing or not self._call(self._add, item):
            raise RuntimeError(CLOSED)

    def check(self) -> None:
        """Raise ExecutorBroken if it can run no more jobs."""
        if self.broken is not None:
            raise ExecutorBroken(str(self.broken)) from self.broken.__cause__
        if not self.here:
            raise ExecutorBroken(
                f"this executor belongs to process {self._process}, which this one was forked from; start a pool and "
                "an executor here"
            )

    @property
    def here(self) -> bool:
        """Whether this is the process that made it: one that was forked has no part in it."""
        return os.getpid() == self._process

    @property
    def left(self) -> int:
        """How many jobs have not ended."""
        return len(self._waiting) + len(self._running)

    @property
    def in_callback(self) -> bool:
        """Whether the caller is a done-callback, whose end is waited for."""
        return self._callbacks.here()

    def call_back(self, function: Callback, future: concurrent.futures.Future[Any]) -> None:
        """Call a done-callback: on the thread it is done in, unless that is the one of the loop."""
        if threading.current_thread() is self._thread:
            self._callbacks.call(function, future)
        else:
            function(future)

    def withdraw(self, future: JobFuture[Any]) -> None:
        """Nobody waits for a job any more: it is stopped wherever it is."""
        self._call(self._withdraw, future)

    def interrupt(self) -> None:
        """Cancel all jobs, wherever they are."""
        self._call(self._interrupt)

    def close(self, *, cancel: bool) -> None:
        """Take no more; once nothing is left, `idle` is done and the thread ends. `cancel` drops what waits."""
        self._closing = True
        self._call(self._close, cancel)

    def join(self) -> None:
        """Wait for the end of the thread, which comes right after `idle`."""
        self._thread.join()

    # -- on its loop -----------------------------------------------------------------------------------------------

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_forever()
            self._loop.run_until_complete(asyncio.sleep(0))  # who came in this moment is told
        finally:
            self._loop.close()

    def _call(self, function: Callable[..., None], *args: object) -> bool:
        """Call something on the loop; False once it has ended, with all its jobs."""
        if not self.here:
            return False
        try:
            self._loop.call_soon_threadsafe(function, *args)
        except RuntimeError:
            return False
        return True

    def _add(self, item: Item) -> None:
        if self.idle.done() or self.broken is not None:
            self.supply.release(item.blobs)
            item.give(None, self.broken or RuntimeError(CLOSED))
            return
        if not self._waiting and not self._running:
            self._reached = self._loop.time()
        self._waiting.append(item)
        if self._looking is None:  # else no slot was free a moment ago, and whatever frees one looks again
            self._place()

    def _withdraw(self, future: JobFuture[Any]) -> None:
        for item in self._waiting:
            if item.future is future:
                self._waiting.remove(item)
                self.supply.release(item.blobs)
                self._rest()
                return
        if future in self._running:
            self._running[future][1].cancel()

    def _close(self, cancel: bool) -> None:
        if cancel:
            self._cancel_waiting()
        self._rest()

    def _interrupt(self) -> None:
        self._cancel_waiting()
        for future in list(self._running):
            future.cancel()

    def _cancel_waiting(self) -> None:
        waiting, self._waiting = self._waiting, deque()
        for item in waiting:
            self.supply.release(item.blobs)
            item.future.cancel()

    def _place(self) -> None:
        """Hand waiting jobs to free slots."""
        if self._looking is not None:
            self._looking.cancel()
            self._looking = None
        endpoints = self._endpoints()
        while self._waiting and (rank := self._free(endpoints)) is not None:
            self._start(self._waiting.popleft(), rank, endpoints)
        if self._waiting:
            self._looking = self._loop.call_later(_LOOK, self._place)
        self._rest()

    def _free(self, endpoints: dict[int, str]) -> int | None:
        """The node that has the least to do, of those that have a slot free of our jobs."""
        if self._most is not None and len(self._running) >= self._most:
            return None
        now = self._loop.time()
        calls = {view.rank: view.running for view in self._nodes.nodes}
        free = [
            (self._placed[rank] + calls.get(rank, 0), rank)
            for rank in endpoints
            if self._placed[rank] < self._nodes.concurrency and self._shunned.get(rank, 0.0) <= now
        ]
        return min(free)[1] if free else None

    def _endpoints(self) -> dict[int, str]:
        """The nodes there are now; jobs do not wait for ever for the first of them."""
        state = self._nodes.state
        if state in ("stopping", "stopped", "failed", "taken"):
            self._fail_waiting(PoolStopped(f"pool {self._nodes.name!r} is {state}; its jobs cannot run"))
            return {}
        if self._waiting and not self._running and self._loop.time() - self._reached > NODES_WITHIN:
            text = f"no node of pool {self._nodes.name!r} could be reached over HTTP for {NODES_WITHIN:g} s"
            self._fail_waiting(ExecutorBroken(f"{text}; `pool.nodes` shows their last lines"))
        return self._nodes.endpoints

    def _fail_waiting(self, error: Exception) -> None:
        waiting, self._waiting = self._waiting, deque()
        for item in waiting:
            self.supply.release(item.blobs)
            item.give(None, error)

    def _start(self, item: Item, rank: int, endpoints: dict[int, str]) -> None:
        url = endpoints[rank]
        node = NodeJobs(
            self._http, self._instances, rank, url, lambda: self._nodes.endpoints.get(rank) == url, self._sending
        )
        params = item.params(rank, rank == min(endpoints), len(endpoints))
        name = uuid.uuid4().hex
        self._placed[rank] += 1
        self._nodes.count_job(rank, 1)
        item.future.placed, item.future.node = True, rank
        task = promise(self._ended(item, node, name, params), loop=self._loop)
        self._running[item.future] = item, task
        task.add_done_callback(partial(self._left, item, node, name))

    def _left(self, item: Item, node: NodeJobs, name: str, task: asyncio.Task[bool]) -> None:
        """A job is on its way no more."""
        self._placed[node.rank] -= 1
        self._nodes.count_job(node.rank, -1)
        del self._running[item.future]
        item.finish(node.rank)
        if item.future.placed:  # else it waits again
            self.supply.release(item.blobs)
        failed = None if task.cancelled() else task.exception()
        if failed is not None:
            log.error("a job of %s failed", self.name, exc_info=failed)
            item.give(None, failed)
        elif task.cancelled() or task.result():
            forgetting = begin(node.forget(name), f"forgetting a job on node {node.rank}", loop=self._loop)
            self._forgetting.add(forgetting)
            forgetting.add_done_callback(self._forgotten)
        self._place()

    def _forgotten(self, task: asyncio.Task[None]) -> None:
        self._forgetting.discard(task)
        self._rest()

    async def _ended(self, item: Item, node: NodeJobs, name: str, params: dict[str, str]) -> bool:
        """Run a job and tell its future; returns whether the node has something of it that nobody needs."""
        try:
            await self._nodes.inform(node.rank)
            parts = Parts(self.supply.to_send(item.blobs), self.supply.open)
            ended = await node.run(name, item.body(), params, item.show, parts)
        except NotBegun:
            item.future.placed = False
            self._shunned[node.rank] = self._loop.time() + _SHUN
            self._waiting.appendleft(item)
            return False
        except Exception as error:
            self._reached = self._loop.time()
            item.give(None, self._explained(error))
            return False
        self._reached = self._loop.time()
        if isinstance(ended.error, ExecutorBroken) and ended.error.executor == self.name:
            self._break(ended.error)
        item.give(ended.value, ended.error)
        return node.keeps_much

    def _break(self, error: ExecutorBroken) -> None:
        """Run no more jobs; those there are fail as well."""
        if self.broken is not None:
            return
        self.broken = error
        self._fail_waiting(error)
        for item, task in self._running.values():
            if task is not asyncio.current_task():
                item.give(None, error)
                task.cancel()

    def _explained(self, error: Exception) -> Exception:
        if isinstance(error, NodeLost) and self._nodes.state in ("stopping", "stopped"):
            return PoolStopped(f"pool {self._nodes.name!r} was stopped before the job had ended")
        return error

    def _rest(self) -> None:
        busy = self._waiting or self._running or self._forgetting or not self._callbacks.idle
        if self._closing and not busy and not self.idle.done():
            self._callbacks.close()
            self.supply.close()
            self.idle.set_result(None)
            self._stopping = begin(self._stop(), "ending the connections of an executor", loop=self._loop)

    async def _stop(self) -> None:
        await self._http.aclose()
        self._loop.stop()
