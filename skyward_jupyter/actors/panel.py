"""The panel actor: what dashboards see of a pool.

The slow state goes out as a snapshot when it changes, the numbers as deltas while somebody looks. Nodes are asked for
their load only then, and the tasks that ended are read from the pool's record of them: events of single tasks, which
cost every call a little, are made for nobody here.

A snapshot is what is so, not what happened: whoever comes late needs all of it, and a node that works and rests a
hundred times a second is worth one word, not two hundred. So it is read from the pool when `Hub.on_change` says that
something is different, and what happened is heard from the pool's events like by everybody else.
"""

from __future__ import annotations

import asyncio
import os
import struct
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any, TypedDict

import casty
from casty import Context, actor

from skyward_jupyter.actors.desk import NodeState, NodeView, at_now, boot_of
from skyward_jupyter.actors.hub import Hub
from skyward_jupyter.actors.messages import Changed, Tick, Watch
from skyward_jupyter.actors.ongoing import Begun, ongoing
from skyward_jupyter.actors.source import MOST, OVER, Delta, Ended, NodeRow, PanelView, Snapshot
from skyward_jupyter.actors.tally import Jobs, Tally
from skyward_jupyter.agent.accelerators import GpuLoad
from skyward_jupyter.events import Event, Metric, TaskTimes
from skyward_jupyter.runtime.bridge import Runtime
from skyward_jupyter.wire.messages import Load, Measure

#: Seconds between two deltas, and the least between two snapshots.
DELTA_EVERY = 0.5
SNAPSHOT_EVERY = 0.1
#: So many nodes of a local pool may be asked for on a page wherever it runs, and so many for each processor.
_ALWAYS, _FOR_EACH_CPU = 16, 4
_STATES = {NodeState.IDLE: 0, NodeState.WAITING: 1, NodeState.ACTIVE: 2, NodeState.LOST: 3}
_NOTHING = Load(0.0, 0.0, 0, 0, 0)
_ROW = struct.Struct("<6f")


class _Cost(TypedDict):
    per_hour: float
    so_far: float


type PanelMessage = Changed | Watch | Tick


class Panel:
    """The source of every dashboard of one pool; see `skyward_jupyter.actors.source.PanelSource`.

    Parameters
    ----------
    scale, interrupt, stop
        What the controls do; called on the loop.
    active
        Whether it is the active one of several pools; None when there is no other.
    """

    def __init__(
        self,
        hub: Hub,
        here: Runtime,
        *,
        scale: Callable[[int], None],
        interrupt: Callable[[], None],
        stop: Callable[[], None],
        active: Callable[[], bool | None],
    ) -> None:
        self.hub = hub
        self._here = here
        self._scale = scale
        self._interrupt = interrupt
        self._stop = stop
        self._active = active
        self.views: dict[PanelView, bool] = {}
        self._drawn: dict[PanelView, int] = {}
        self.seq = 0
        self._jobs = Jobs()
        self._begun = Begun()
        hub.on_change = self.changed
        hub.events.on_listening = self._listening
        self._pending = False
        self._final: Snapshot | None = None

    @property
    def watched(self) -> bool:
        """Whether somebody looks, or listens for the numbers."""
        return any(self.views.values()) or self.hub.events.wants(Metric)

    def snapshot(self) -> Snapshot:
        """The slow state now; of a pool that is over, what remains of it."""
        hub = self.hub
        if self._final is not None and hub.state in OVER:
            return {**self._final, "ended": self._tally(), **self._cost()}
        # Numbers come of the others only; while a pool starts they do not matter.
        nodes = {**hub.failed, **hub.desk.nodes}
        largest, limit = most(hub, len(nodes))
        return Snapshot(
            pool=hub.name,
            provider=hub.fleet.name,
            state=hub.state,
            note=hub.note,
            started=hub.started,
            nodes=[_row(view, self._jobs.running.get(rank, 0)) for rank, view in sorted(nodes.items())],
            smallest=hub.bounds[0],
            largest=largest,
            limit=limit,
            ended=self._tally(),
            per_hour=hub.cost.now.per_hour,
            so_far=hub.cost.now.so_far,
            active=self._active(),
        )

    def ended(self) -> Ended:
        """The last tasks that ended."""
        return self._ended(0)

    def listen(self, kinds: tuple[type[Event], ...], callback: Callable[[Any], object]) -> None:
        """Call `callback` with each event of `kinds`, until the pool is over."""
        if self._here.on_loop:
            self._listen(kinds, callback)
        else:
            self._here.call_soon(self._listen, kinds, callback)

    def attach(self, view: PanelView) -> Callable[[], None]:
        """Show the pool to `view` from now on; returns what ends that."""
        self._here.call_soon(self._attach, view)
        return lambda: self._here.call_soon(self._detach, view)

    def visible(self, view: PanelView, visible: bool) -> None:
        """Whether `view` is on a screen."""
        self._here.call_soon(self._visible, view, visible)

    def draw(self, view: PanelView, after: int | None) -> None:
        """Whether, and from where on, `view` wants the tasks that ended."""
        self._here.call_soon(self._draw, view, after)

    def command(self, view: PanelView, command: Mapping[str, object]) -> None:
        """Do what a control says; what cannot be done is answered with a sentence."""
        self._here.call_soon(self._command, view, command)

    def changed(self) -> None:
        """Something changed; views hear of it shortly."""
        if not self._pending and self.views:
            self._pending = True
            asyncio.get_running_loop().call_later(SNAPSHOT_EVERY, self._tell_changed)

    def keep(self, state: str) -> None:
        """What is shown now remains, in this state: the pool ends, and with it its nodes."""
        if self._final is None:
            self._final = {**self.snapshot(), "state": state, "note": ""}

    def close(self) -> None:
        """The pool is over: show how it ended, and let the views go."""
        final = self.snapshot()
        for view in list(self.views):
            view.close(final)
        self.views.clear()
        unregister(self)

    def publish(self) -> None:
        """Show the snapshot to every view."""
        snapshot = self.snapshot()
        for view in list(self.views):
            view.show(snapshot)

    async def measure(self) -> None:
        """Ask every node for its load and show it to those who look."""
        ranks = sorted(self.hub.desk.nodes)
        loads = await asyncio.gather(*(self._load(rank) for rank in ranks))
        for rank, load in zip(ranks, loads, strict=True):
            if load is not _NOTHING:
                self._jobs.heard(rank, load.jobs_ended)
        self._begun.heard(dict(zip(ranks, loads, strict=True)), time.time(), self.hub.desk)
        self._jobs.running = {rank: load.jobs for rank, load in zip(ranks, loads, strict=True) if load.jobs}
        nodes = self.hub.desk.nodes
        rows = b"".join(
            _ROW.pack(*_numbers(nodes[rank], load, self._ended_on(rank).done))
            for rank, load in zip(ranks, loads, strict=True)
            if rank in nodes
        )
        if self.hub.events.wants(Metric):
            for rank, it in zip(ranks, loads, strict=True):
                if it is not _NOTHING:
                    self.hub.events.emit(Metric, rank, it.cpu, it.memory, it.running, it.done, it.busy, it.gpus)
        self.seq += 1
        desk, cost = self.hub.desk, self.hub.cost.now
        delta = Delta(
            self.seq, time.time(), desk.queued, desk.throughput.rate(), rows, cost.so_far, gpus=_gpus(ranks, loads),
            tally=self._tally(), faults=self._faults(ranks),
        )  # fmt: skip
        for view, visible in list(self.views.items()):
            if visible:
                drawn = ongoing(desk, self._begun) if view in self._drawn else None
                view.delta(replace(delta, ended=self._news(view), ongoing=drawn))

    def _cost(self) -> _Cost:
        now = self.hub.cost.now
        return {"per_hour": now.per_hour, "so_far": now.so_far}

    def _tally(self) -> tuple[int, int, int]:
        total = self.hub.desk.tallies.total + self._jobs.total
        return total.done, total.failed, total.cancelled

    def _ended_on(self, rank: int) -> Tally:
        return self.hub.desk.tallies.of(rank) + self._jobs.of(rank)

    def _faults(self, ranks: Iterable[int]) -> dict[int, tuple[int, int]]:
        ended = ((rank, self._ended_on(rank)) for rank in ranks)
        return {rank: (it.failed, it.cancelled) for rank, it in ended if it.failed or it.cancelled}

    def _news(self, view: PanelView) -> Ended | None:
        """The tasks that ended since the last delta of a view that wants them."""
        after = self._drawn.get(view)
        if after is None or after == self.hub.desk.times.recorded:
            return None
        self._drawn[view] = self.hub.desk.times.recorded
        return self._ended(after)

    def _ended(self, after: int) -> Ended:
        first, times = self.hub.desk.ended(after, MOST)
        return Ended(first, [TaskTimes(*each) for each in times])

    async def _load(self, rank: int) -> Load:
        view = self.hub.desk.nodes.get(rank)
        if view is None or view.state in (NodeState.LOST, NodeState.WAITING):
            return _NOTHING
        drawing = self.hub.key if self._drawn else ""
        try:
            async with asyncio.timeout(DELTA_EVERY):
                load: Load = await self.hub.worker(rank).ask(Measure(gpus=True, tasks_of=drawing))
                return load
        except (casty.Unavailable, TimeoutError):
            return _NOTHING

    def _tell_changed(self) -> None:
        self._pending = False
        self.hub.panel.tell(Changed())

    def _attach(self, view: PanelView) -> None:
        if self.hub.state in OVER:
            view.close(self.snapshot())
            return
        self.views[view] = False
        view.show(self.snapshot())

    def _listen(self, kinds: tuple[type[Event], ...], callback: Callable[[Any], object]) -> None:
        if self.hub.state not in OVER:
            self.hub.events.listen(kinds, callback, lambda: None)

    def _detach(self, view: PanelView) -> None:
        self.views.pop(view, None)
        self._drawn.pop(view, None)

    def _draw(self, view: PanelView, after: int | None) -> None:
        if after is None:
            self._drawn.pop(view, None)
        elif view in self.views:
            self._drawn[view] = min(max(0, after), self._drawn.get(view, after))

    def _visible(self, view: PanelView, visible: bool) -> None:
        if view in self.views:
            self.views[view] = visible
            self.hub.panel.tell(Watch(self.watched))

    def _listening(self) -> None:
        if self.hub.panel is not None and self.hub.events.wants(Metric):
            self.hub.panel.tell(Watch(True))

    def _command(self, view: PanelView, command: Mapping[str, object]) -> None:
        smallest, (largest, limit) = self.hub.bounds[0], most(self.hub, len(self.hub.desk.nodes))
        match command:
            case {"kind": "scale", "nodes": int(nodes)} if smallest <= nodes <= largest:
                self._scale(nodes)
            case {"kind": "scale", "nodes": nodes}:
                view.refuse(f"this pool can have {smallest} to {largest} nodes, not {nodes}: {limit}")
            case {"kind": "interrupt"}:
                self._interrupt()
            case {"kind": "stop"}:
                self._stop()
            case _:
                view.refuse(f"this version does not know {command.get('kind')!r}")


def most(hub: Hub, now: int) -> tuple[int, str]:
    """The most nodes that a person may ask for on a page, and why not more; code may ask for more of a local pool."""
    smallest, largest = hub.bounds
    if hub.elastic is not None:
        return largest, f"it was started with nodes=({smallest}, {largest})"
    if hub.fleet.name != "local":
        return largest, f"it was started with {largest} machine{'' if largest == 1 else 's'}, and has one node on each"
    cpus = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
    sensible = min(largest, max(_ALWAYS, _FOR_EACH_CPU * cpus, hub.desired, now))
    processors = f"{cpus} processor{'' if cpus == 1 else 's'}"
    more = "" if sensible == largest else f"; pool.scale(N) takes up to {largest}"
    return sensible, f"this machine has {processors}{more}"


def _numbers(view: NodeView, load: Load, done: int) -> tuple[float, ...]:
    """The live numbers of a node; what it ran for this kernel is over once its actor has heard so."""
    running = load.jobs if view.state is NodeState.IDLE else load.running
    state = NodeState.ACTIVE if running and view.state is NodeState.IDLE else view.state
    return _STATES[state], load.cpu, load.memory, running, done, min(load.busy, running)


def _row(view: NodeView, jobs: int) -> NodeRow:
    state = NodeState.ACTIVE if jobs and view.state is NodeState.IDLE else view.state
    return NodeRow(
        rank=view.rank,
        state=state.value,
        phase=at_now(view),
        since=boot_of(view).since,
        said=boot_of(view).said,
        reachable=not (view.link or view.lacks),
        address=view.address,
        pid=view.pid,
        slots=view.slots,
        log=boot_of(view).lines(),
    )


def _gpus(ranks: list[int], loads: list[Load]) -> dict[int, tuple[GpuLoad, ...]]:
    return {rank: load.gpus for rank, load in zip(ranks, loads, strict=True) if load.gpus}


_panels: dict[str, Panel] = {}


def register(panel: Panel) -> None:
    """Make a panel findable for its actor."""
    _panels[panel.hub.key] = panel


def unregister(panel: Panel) -> None:
    """Its actor is over."""
    _panels.pop(panel.hub.key, None)


@actor(initial=0, idle_after=timedelta(days=365))
async def panel(ctx: Context[int, PanelMessage]) -> None:
    """Turns what happens to a pool into what its dashboards show."""
    it = _panels.get(ctx.key)
    if it is None:
        return
    ticking = False
    async for message in ctx.inbox:
        match message:
            case Changed():
                it.publish()
            case Watch(visible):
                if visible and not ticking:
                    ticking = True
                    ctx.self.tell(Tick())
            case Tick():
                ticking = it.watched
                if ticking:
                    await it.measure()
                    ctx.to_self(asyncio.sleep(DELTA_EVERY), lambda _: Tick())
