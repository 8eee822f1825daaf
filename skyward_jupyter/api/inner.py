"""What the rest of this project does with a pool, and users do not: what a pool has to offer is not crowded by it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

from skyward_jupyter.actors.desk import NodeView
from skyward_jupyter.actors.hub import Hub
from skyward_jupyter.actors.panel import Panel
from skyward_jupyter.api.calls import Calls
from skyward_jupyter.api.compute import PendingCompute
from skyward_jupyter.api.inputs import refuse_iterators
from skyward_jupyter.api.life import Life
from skyward_jupyter.api.run import Launched
from skyward_jupyter.api.sending import Sending
from skyward_jupyter.errors import NoPool, UnknownNode
from skyward_jupyter.providers.records import PoolRecord
from skyward_jupyter.runtime.bridge import bridge, runtime
from skyward_jupyter.wire.events import TaskEvent

type OnEvent = Callable[[TaskEvent], None]


class Inner:
    """A pool from within.

    Attributes
    ----------
    life
        How it is started and ended.
    sending
        Sends its calls, and waits for them.
    """

    def __init__(self, life: Life) -> None:
        self.life = life
        self.sending = Sending(lambda: self.running, lambda: self.size)

    # -- what it is ------------------------------------------------------------------------------------------------

    @property
    def name(self) -> str:
        """As of `ComputePool.name`."""
        return self.life.name

    @property
    def state(self) -> str:
        """As of `ComputePool.state`."""
        return self.life.state

    @property
    def nodes(self) -> tuple[NodeView, ...]:
        """The nodes as they are now, by rank."""
        hub = self.life.hub
        return () if hub is None else tuple(view for _, view in sorted(hub.desk.nodes.items()))

    @property
    def size(self) -> int:
        """How many nodes it has, or will have once it has started."""
        wanted = self.life.settings.nodes
        started = self.life.hub is not None and wanted.elastic and self.state in ("starting", "ready")
        return len(self.nodes) or (0 if started else wanted.desired)

    @property
    def ranks(self) -> tuple[int, ...]:
        """The numbers of the nodes that are there to stay: not those that are new or about to go."""
        hub = self.life.hub
        return () if hub is None else tuple(sorted(hub.members)) or tuple(sorted(hub.desk.nodes))

    @property
    def key(self) -> str:
        """What names it unlike any other pool once it has started, as two kernels may use one name."""
        return self.life.hub.key if self.life.hub is not None else ""

    @property
    def started(self) -> float:
        """When it was first started, in seconds since the epoch; 0 when it was not."""
        return self.life.hub.started if self.life.hub is not None else 0.0

    @property
    def concurrency(self) -> int:
        """Tasks at a time on one node."""
        return self.life.settings.spec.concurrency

    @property
    def endpoints(self) -> dict[int, str]:
        """Where the nodes serve HTTP: the URL of each node that does, by rank."""
        fleet = self.hub.fleet
        found = {view.rank: fleet.http(view.rank) for view in self.nodes}
        return {rank: f"http://{address}" for rank, address in found.items() if address}

    @property
    def token(self) -> str:
        """As of `ComputePool.token`."""
        return self.hub.fleet.token

    @property
    def bytes_sent(self) -> int:
        """Bytes that left this process for the nodes through the cluster."""
        return self.life.hub.bytes_sent if self.life.hub is not None else 0

    # -- what it is made of ----------------------------------------------------------------------------------------

    @property
    def running(self) -> Calls:
        """How calls run on it; raises where it takes none."""
        self.check()
        if self.life.calls is None:
            raise NoPool(f"pool {self.name!r} has not started; use `with` or `.start()` first")
        return self.life.calls

    @property
    def hub(self) -> Hub:
        """What its actors share."""
        return self.running.hub

    @property
    def panel(self) -> Panel:
        """What dashboards of this pool attach to."""
        if self.life.panel is None:
            raise NoPool(f"pool {self.name!r} has not started; use `with` or `.start()` first")
        return self.life.panel

    def check(self) -> None:
        """Raise PoolHeld if another kernel took the pool over."""
        self.life.check()

    def known(self, rank: int) -> int:
        """`rank`, if it is that of a node; raises UnknownNode."""
        if rank not in self.hub.desk.nodes:
            raise UnknownNode(rank, self.size)
        return rank

    # -- what is done with it --------------------------------------------------------------------------------------

    def launch(
        self,
        pending: PendingCompute[Any] | Sequence[PendingCompute[Any]],
        nodes: Sequence[int],
        *,
        session: bool = False,
        on_event: OnEvent | None = None,
        timeout: float | None = None,
        label: str = "",
    ) -> Launched:
        """Start a call on each of `nodes`, or one call for each, and return what watches it.

        Call it on the runtime's loop. `on_event` is called there with output as it comes. With `session`, the code
        runs in the nodes' lasting sessions instead of their slots. `label` says what it is.
        """
        calls = [pending] if isinstance(pending, PendingCompute) else list(pending)
        ranks = [self.known(rank) for rank in nodes]
        if len(calls) < len(ranks):
            refuse_iterators(calls[0]._sources)
        if timeout:
            calls = [call.with_timeout(timeout) for call in calls]
        sender = self.running.dispatch
        made = [replace(call._call(), label=label) for call in calls]
        entries = sender.placed(made, ranks, on_event, session=session)
        return Launched(sender, entries)

    async def renew_sessions(self, nodes: Iterable[int]) -> list[int]:
        """End the sessions of nodes, with what runs and waits in them, and have others: what ``%sky restart`` does.

        Returns the nodes where that could not be done.
        """
        return await bridge(self.running.renew_sessions([self.known(rank) for rank in nodes]))

    async def renew_node(self, node: int) -> None:
        """End a node, with all its processes, and have another in its place: what ``%sky restart --node`` does."""
        await bridge(self.running.renew_node(self.known(node)))

    @property
    def strange_sessions(self) -> set[int]:
        """The nodes whose sessions another kernel filled, until somebody has asked them."""
        return self.hub.sessions

    def project_notes(self) -> list[str]:
        """Look at the user's own modules, and return what there is to say of them that was not said before."""
        project = self.hub.project
        project.current(exact=True)
        return project.notes()

    async def inform(self, rank: int) -> None:
        """Have a node know the user's own modules as they are here now; awaited on any loop.

        A node that does not answer is left to what comes after.
        """
        if self.life.hub is not None:
            await bridge(self.life.hub.inform(rank))

    def count_job(self, rank: int, change: int) -> None:
        """Tell the placing of calls that a node has one job of an executor more, or one less; from any thread."""
        if self.life.hub is not None:
            runtime().call_soon(self.life.hub.placing.job, rank, change)

    async def attach_to(self, record: PoolRecord) -> bool:
        """Have the nodes of a pool that this process claimed; False when they are gone. On the runtime's loop."""
        return await self.life.attach(record)

    def close_now(self) -> None:
        """End every node without waiting for the loop: for the process's own end."""
        self.life.close_now()
