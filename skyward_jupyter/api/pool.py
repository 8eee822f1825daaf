"""A pool of nodes, as the user holds it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Never, Self, overload

from skyward_jupyter.actors.bus import Bus
from skyward_jupyter.actors.cost import Cost
from skyward_jupyter.actors.desk import NodeView
from skyward_jupyter.actors.tail import TailLine
from skyward_jupyter.agent.preload import checked_preload
from skyward_jupyter.api import registry
from skyward_jupyter.api.calls import Pending
from skyward_jupyter.api.checks import (
    checked_env,
    checked_image,
    checked_kinds,
    checked_name,
    nodes_on,
    room_on,
)
from skyward_jupyter.api.compute import ComputeFunction, PendingCompute, PendingGroup, checked_retries, compute, gather
from skyward_jupyter.api.elsewhere import OPTIONS, of_pool
from skyward_jupyter.api.events import EventStream
from skyward_jupyter.api.future import PoolFuture
from skyward_jupyter.api.inner import Inner
from skyward_jupyter.api.joining import joined
from skyward_jupyter.api.life import Life, Settings
from skyward_jupyter.api.named import named
from skyward_jupyter.api.runs import PoolRun, runs_of
from skyward_jupyter.api.sending import calls_of, on_loop
from skyward_jupyter.api.sharing import Sharing
from skyward_jupyter.api.slips import Target, check_map, checked_call
from skyward_jupyter.api.spec import Nodes, Worker, is_count, is_size, slots_of, terms_of
from skyward_jupyter.api.stream import ResultStream
from skyward_jupyter.api.timeline import Timeline
from skyward_jupyter.errors import UsageError
from skyward_jupyter.events import Event, TaskTimes
from skyward_jupyter.fleets.base import Preloaded
from skyward_jupyter.hints import suggests
from skyward_jupyter.providers.base import Provider
from skyward_jupyter.providers.catalog import checked_provider
from skyward_jupyter.providers.terms import MAX_RETRIES, RETRIES, NodeSpec
from skyward_jupyter.runtime.bridge import bridge, runtime, wait
from skyward_jupyter.runtime.writing import heard
from skyward_jupyter.terminal.mode import Mode, checked
from skyward_jupyter.wire.stays import Stays

if TYPE_CHECKING:
    from skyward_jupyter.ssh.image import Image


#: Other names of what a pool has, as users of other libraries write them: Tab offers one of each.
_ELSEWHERE = frozenset(("Named", "current_nodes", "resize", "run_async", *vars(Sharing)))


class ComputePool(Target, Sharing):
    """Some nodes that calls and ``%%sky`` cells run on.

    Use it with ``with`` (blocks), with ``async with``, or with `start` and `stop`.

    Parameters
    ----------
    nodes
        How many; ``(2, 16)`` or `Nodes` for a number that follows the work. On this machine 1 to 250, 1 when not
        given; on machines over SSH one for each host.
    name
        What it is called in ``%sky``, in ``ps`` and in errors; after the notebook or program when not given.
    worker
        How each node runs tasks.
    ttl
        Seconds the nodes live on when this process is gone: 30 on this machine, 600 elsewhere, when not given.
    env
        Environment variables for the code on the nodes, on top of this process's own at the start.
    timeout
        Seconds the nodes may take to start: 60 on this machine, 900 elsewhere, when not given.
    panel
        How it shows itself where there is no notebook: ``"live"`` in a terminal, ``"lines"`` on stderr, ``"off"``;
        ``"auto"`` is what the environment variable ``SKYWARD_PANEL`` says, or else what suits the output.
    retries
        How often a call that does not say so itself is run again when the node it was on is lost (see `compute`).
    max_retries
        How often a node of one number may be lost within an hour and is replaced; then the pool goes on without it.
    provider
        Where the machines come from: ``"local"``, or ``sky.SSH(hosts=[...])``.
    image
        What the machines are to be like; see `Image`. This machine is as it is: it must have the packages, and its
        nodes get the environment and run where the included files are.
    preload
        Modules that are imported once for all nodes on this machine, before their slots start: those of common
        libraries that this process has imported, when not given; names, as in ``["numpy", "pandas"]``; False for none.
        One that does not survive a fork is left out (see `preloaded`). Nodes on other machines import for themselves.
    """

    @suggests(OPTIONS)
    def __init__(
        self,
        nodes: int | tuple[int, int] | Nodes | None = None,
        *,
        name: str | None = None,
        worker: Worker | None = None,
        ttl: float | None = None,
        env: dict[str, str] | None = None,
        timeout: float | None = None,
        panel: Mode = "auto",
        retries: int = RETRIES,
        max_retries: int = MAX_RETRIES,
        provider: Provider | Literal["local"] | None = None,
        image: Image | None = None,
        preload: bool | Sequence[str] = True,
        _share: bool = True,
    ) -> None:
        worker = worker or Worker()
        named = checked_name(name)
        self._provider = checked_provider(provider)
        here = self._provider.name == "local"
        self._nodes = nodes_on(self._provider, nodes)
        self._spec = NodeSpec(
            worker.concurrency,
            slots_of(worker),
            (30.0 if here else 600.0) if ttl is None else ttl,
            checked_env(env),
            checked_preload(preload),
        )
        self._bus = Bus(named)
        self._runs: dict[int, PoolRun] = {}
        settings = Settings(
            name=named,
            unnamed=name is None,
            nodes=self._nodes,
            spec=self._spec,
            terms=terms_of(
                self._nodes,
                retries=checked_retries(retries),
                max_retries=checked_retries(max_retries),
                patience=(60.0 if here else 900.0) if timeout is None else timeout,
                panel=panel,
                preload=self._spec.preload,
            ),
            mode=checked(panel),
            share=_share,
            provider=self._provider,
            image=checked_image(image, self._provider),
        )
        self._inner = Inner(Life(settings, self._bus, self._list))

    def __reduce__(self) -> tuple[Any, ...]:
        raise Stays(
            self,
            "a pool stays in the notebook or program that started it",
            "start the calls there, and have this one return what they need",
        )

    # -- life ------------------------------------------------------------------------------------------------------

    def start(self) -> Self:
        """Start the nodes and wait until they are ready; does nothing when they run.

        Raises
        ------
        ProvisioningFailed
            The nodes did not start; nothing of them is left.
        """
        __tracebackhide__ = True
        wait(self.start_async(), "await pool.start_async()")
        return self

    async def start_async(self) -> Self:
        """`start`, to await."""
        __tracebackhide__ = True
        await bridge(self._inner.life.start())
        return self

    def stop(self) -> None:
        """End every node and whatever runs on it; does nothing when none run."""
        __tracebackhide__ = True
        wait(self.stop_async(), "await pool.stop_async()")

    async def stop_async(self) -> None:
        """`stop`, to await."""
        __tracebackhide__ = True
        await bridge(self._inner.life.stop())

    def scale(self, nodes: int) -> None:
        """Have `nodes` nodes, and wait until it is so. Nodes that go finish what they run.

        Asked for several numbers at once, it has the last of them, and all of those who asked wait for that. A pool
        that is elastic goes on from there, within its bounds.
        """
        __tracebackhide__ = True
        wait(self.scale_async(nodes), "await pool.scale_async(n)")

    async def scale_async(self, nodes: int) -> None:
        """`scale`, to await."""
        __tracebackhide__ = True
        await bridge(self._inner.life.scale(self._checked_size(nodes)))

    resize = scale

    @classmethod
    def Named(cls, name: str) -> Self:  # noqa: N802 - as it is called elsewhere
        """The pool that ``[pools.NAME]``, or ``[profiles.NAME]``, of a ``skyward.toml`` describes; not started."""
        return named(name, cls)

    def __enter__(self) -> Self:
        __tracebackhide__ = True
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.stop()

    async def __aenter__(self) -> Self:
        return await self.start_async()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> None:
        await self.stop_async()

    # -- calls -----------------------------------------------------------------------------------------------------

    @overload
    async def run[R](self, pending: PendingCompute[R]) -> R: ...
    @overload
    async def run(self, pending: PendingGroup) -> Any: ...
    async def run(self, pending: Pending, *args: Never, **kwargs: Never) -> Any:
        """Run a call on any free slot, or several side by side, and return what they return.

        A call of a generator function, and ``gather(..., stream=True)``, give a `ResultStream` at once.
        """
        __tracebackhide__ = True
        checked_call(pending, "await pool.run(", ")", args or kwargs)
        with heard:
            result = bridge(self._inner.running.work(pending), calls=len(calls_of(pending)))
            del pending  # a crowd may wait, and what its calls were made with is not needed
            return await result

    async def broadcast[R](
        self, pending: PendingCompute[R], *, fail_fast: bool = False, return_exceptions: bool = False
    ) -> list[R]:
        """Run a call on every node; the results in node order.

        A failure on one node is shown while others still run.

        Parameters
        ----------
        fail_fast
            Whether the first error interrupts the call on the other nodes, as ``call.with_fail_fast() @ pool`` does.
        return_exceptions
            Whether what a node raises is given in place of its result, as by ``call.with_return_exceptions() @ pool``.

        Raises
        ------
        ExceptionGroup
            It raised on several nodes; each error notes its node, and `nodes` of the group has them in this order. One
            alone is raised as it is. Either carries the results of the other nodes as ``error.gathered``.
        """
        __tracebackhide__ = True
        checked_call(pending, "await pool.broadcast(", ")")
        with heard:
            pending = pending.with_fail_fast() if fail_fast else pending
            pending = replace(pending, _return_exceptions=True) if return_exceptions else pending
            return await bridge(self._inner.running.broadcast(pending), calls=self.size)

    def stream(self, pending: Pending) -> ResultStream[Any]:
        """Results while others still run, or what a generator yields: for ``async for`` and ``for``."""
        __tracebackhide__ = True
        checked_call(pending, "pool.stream(", ")")
        return on_loop(lambda: self._inner.running.stream(pending))

    @overload
    def map[**P, R](
        self,
        function: ComputeFunction[P, R],
        *iterables: Iterable[Any],
        return_exceptions: bool = False,
        progress: bool | None = None,
    ) -> list[R]: ...
    @overload
    def map[R](
        self,
        function: Callable[..., R],
        *iterables: Iterable[Any],
        return_exceptions: bool = False,
        progress: bool | None = None,
    ) -> list[R]: ...
    def map(
        self,
        function: Any,
        *iterables: Iterable[Any],
        return_exceptions: bool = False,
        progress: bool | None = None,
    ) -> list[Any]:
        """`function` over items, side by side; the results in order. Blocks.

        An error is raised, and carries the rest, or with `return_exceptions` is given in its place, as by `gather`,
        which also says what `progress` does.
        """
        __tracebackhide__ = True
        check_map(function, iterables)
        made = function if isinstance(function, ComputeFunction) else compute(function)
        calls = (made(*items) for items in zip(*iterables, strict=False))
        group = gather(*calls, return_exceptions=return_exceptions, progress=progress)
        results: list[Any] = self._inner.sending.run_blocking(group)
        return results

    def gather_lists[R](self, pending: PendingCompute[R]) -> R:
        """Run a call on every node, and give what they return as one, in node order. Blocks.

        Lists and tuples are put end to end, NumPy arrays along their first axis, pandas frames and series by rows.
        """
        __tracebackhide__ = True
        checked_call(pending, "pool.gather_lists(", ")")
        whole: R = joined(self._inner.sending.broadcast_blocking(pending), "what the nodes returned")
        return whole

    @overload
    def submit[R](self, pending: PendingCompute[R]) -> PoolFuture[R]: ...
    @overload
    def submit(self, pending: PendingGroup) -> PoolFuture[Any]: ...
    def submit(self, pending: Pending, *args: Never, **kwargs: Never) -> PoolFuture[Any]:
        """Start a call and return its future: what ``>`` does.

        Function and arguments are pickled now: what changes here later is not seen there.
        """
        checked_call(pending, "pool.submit(", ")", args or kwargs)
        return self._inner.sending.submit(pending)

    run_async = submit

    def interrupt(self) -> None:
        """Interrupt everything that runs on the pool; it stays usable."""
        runtime().call_soon(self._inner.life.interrupt)

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Never:
            text = f"{type(self).__name__!r} object has no attribute {name!r}"
            # With its name alone, as Python would suggest what is ours.
            raise AttributeError(text if name.startswith("_") else text + of_pool(name, dir(self)), name=name)

    # -- what happens ----------------------------------------------------------------------------------------------

    def on[E: Event](self, kind: type[E], callback: Callable[[E], object]) -> Callable[[], None]:
        """Call `callback` with every event of `kind` (see `skyward.events`) from now on; returns what ends that.

        It is called on the runtime's loop, in order, and may be an async function; it must not block. What it raises
        is logged. Registered before the pool starts, it hears of the start too, and it stays when the pool is stopped.
        """
        listener = on_loop(lambda: self._bus.listen(checked_kinds((kind,)), callback))

        def off() -> None:
            listener.active = False
            runtime().call_soon(self._bus.remove, listener)

        return off

    def events(self, *kinds: type[Event], buffer: int = 1000) -> EventStream:
        """The events of these kinds, all when none is named, from now until the pool stops.

        For ``async for``, on any event loop, and for ``for``. For a reader that is slower than the pool, the last
        `buffer` events are kept, and one `EventsDropped` stands for those that were not.
        """
        if not is_count(buffer):
            raise UsageError(f"buffer is {buffer!r}; it is how many events to keep, at least 1")
        chosen = checked_kinds(kinds or (Event,))
        return on_loop(lambda: EventStream(self._bus, chosen, buffer, over=self.state in ("stopped", "failed")))

    @property
    def timeline(self) -> Timeline:
        """When the last tasks that ended were queued, sent, run and received: up to 10,000, oldest first."""
        hub = self._inner.life.hub
        return Timeline(
            TaskTimes(*times) for times in (on_loop(lambda: list(hub.desk.times)) if hub is not None else ())
        )

    # -- what it is ------------------------------------------------------------------------------------------------

    @property
    def name(self) -> str:
        """What it is called. One that was given no name may get another as it starts, if that is taken by then."""
        return self._inner.life.name

    @property
    def state(self) -> str:
        """``new``, ``starting``, ``ready``, ``stopping``, ``stopped``, ``failed``, or ``taken`` by another kernel."""
        return self._inner.life.state

    @property
    def nodes(self) -> tuple[NodeView, ...]:
        """The nodes as they are now, by rank."""
        return self._inner.nodes

    @property
    def size(self) -> int:
        """How many nodes it has, or will have once it has started."""
        return self._inner.size

    @property
    def current_nodes(self) -> int:
        """How many nodes it has now: ``len(pool.nodes)``."""
        return len(self.nodes)

    @property
    def bounds(self) -> tuple[int, int] | None:
        """Between how many nodes an elastic pool has; None for any other."""
        return (self._nodes.min, self._nodes.max) if self._nodes.elastic else None

    def logs(self, lines: int = 10) -> dict[int, list[TailLine]]:
        """The last lines of each node, by rank and oldest first: what it said of itself, and what its tasks wrote.

        As far as they came to this process; those of a node that was lost stay.
        """
        tails = self._inner.life.hub.desk.tails if self._inner.life.hub is not None else {}
        return {rank: tails[rank].lines(lines) for rank in sorted(tails)}

    def ssh_command(self, node: int = 0) -> str:
        """What logs in to the machine of a node, for a terminal on this machine."""
        rank = self._inner.known(node)
        instance = self._inner.hub.fleet.instance(rank)
        if instance is None:
            raise UsageError(f"node {node} of pool {self.name!r} runs on this machine; there is nothing to log in to")
        return instance.command

    @property
    def provider(self) -> Provider:
        """Where its machines come from."""
        return self._provider

    @property
    def worker(self) -> Worker:
        """How each node runs tasks."""
        return Worker(self._spec.concurrency, self._spec.executor)

    @property
    def preloaded(self) -> Preloaded:
        """Which libraries new slots are born with, and which were refused, with the reason."""
        return self._inner.life.hub.fleet.preloaded if self._inner.life.hub is not None else Preloaded()

    @property
    def endpoints(self) -> dict[int, str]:
        """Where the nodes serve HTTP: the URL of each node that does, by rank."""
        return self._inner.endpoints

    @property
    def token(self) -> str:
        """What callers of the nodes' HTTP API show, as ``Authorization: Bearer TOKEN``.

        Whoever has it can run code as you: it is never part of a log, an error or what a pool displays.
        """
        return self._inner.token

    @property
    def runs(self) -> tuple[PoolRun, ...]:
        """Cells and calls that go on, and those of the kernel before this one that have ended since; oldest first."""
        if self._inner.life.calls is None or self.state == "taken":
            return ()
        return runs_of(self._inner.life.calls.hub, self._inner.life.calls.dispatch, self._runs)

    @property
    def cost(self) -> Cost:
        """What it costs ``per_hour``, and has cost ``so_far`` since it started, in US dollars; 0 on this machine."""
        return self._inner.life.hub.cost.now if self._inner.life.hub is not None else Cost(0.0, 0.0)

    def __dir__(self) -> list[str]:
        return [name for name in super().__dir__() if name not in _ELSEWHERE]

    def __repr__(self) -> str:
        of = f" of {self._nodes}" if self._nodes.elastic else ""
        nodes = f"{self.size} {self._provider.name} node{'s' * (self.size != 1)}"
        return f"<ComputePool {self.name!r}: {nodes}{of}, {self.state}>"

    def _ipython_display_(self) -> None:
        """In a notebook, be shown live, and at the end by what stays readable when it is saved."""
        if self._inner.life.panel is None or not runtime().in_kernel:
            raise NotImplementedError  # which has IPython look for the other forms
        from skyward_jupyter.widgets.dashboard import present

        present(self._inner.life.panel)

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> Any:
        if self._inner.life.panel is None:
            return {"text/plain": repr(self)}
        if not runtime().in_kernel and not runtime().on_loop:
            from skyward_jupyter.terminal.views import described

            return {"text/plain": described(self._inner.life.panel)}
        from skyward_jupyter.widgets.dashboard import show

        return show(self._inner.life.panel)

    def _list(self, runs: bool) -> None:
        if runs:
            self._runs = {}
            registry.add(self)
        else:
            registry.remove(self)

    def _checked_size(self, nodes: int) -> int:
        least, most = self.bounds or (1, self._provider.largest)
        if not is_size(nodes) or not least <= nodes <= most:
            elastic = f"pool {self.name!r} is elastic and has {least} to {most}"
            raise UsageError(f"nodes is {nodes!r}; {elastic if self._nodes.elastic else room_on(self._provider)}")
        return nodes
