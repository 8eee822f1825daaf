"""One pool's actors and what they share: found by the pool's key, because messages carry only plain values."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import casty

from skyward_jupyter.actors.bus import Bus
from skyward_jupyter.actors.connection import data_client
from skyward_jupyter.actors.cost import Meter
from skyward_jupyter.actors.desk import Desk, NodeView
from skyward_jupyter.actors.placing import Placer
from skyward_jupyter.actors.progress import Progress
from skyward_jupyter.agent import actors as remote
from skyward_jupyter.agent.config import Peer
from skyward_jupyter.agent.data_cluster import DataClient
from skyward_jupyter.collections.losses import Losses
from skyward_jupyter.events import PoolState
from skyward_jupyter.providers import records
from skyward_jupyter.providers.terms import LARGEST
from skyward_jupyter.wire.messages import Batch, Exchange, Loss, Own, TakeProject

if TYPE_CHECKING:
    from skyward_jupyter.actors.adoption import Kept
    from skyward_jupyter.actors.connection import Redial
    from skyward_jupyter.actors.detours import Detours
    from skyward_jupyter.actors.elastic import Autoscaler
    from skyward_jupyter.actors.payloads import Payloads
    from skyward_jupyter.actors.recorder import Recorder
    from skyward_jupyter.fleets.base import Fleet
    from skyward_jupyter.project.tracker import Tracker
    from skyward_jupyter.providers.terms import NodeSpec

_hubs: dict[str, Hub] = {}
#: Seconds that a node may take to hear of the user's project; one that takes longer is not reachable just now.
_INFORM_WITHIN = 10.0


@dataclass(eq=False)
class Hub:
    """The shared part of one pool. Touched on the runtime's loop only.

    Attributes
    ----------
    key
        Unlike any other pool's; the key of its actors, and what its nodes know its kernel by.
    recorder
        Keeps its record on disk.
    epoch
        How often another kernel took the pool over before.
    kept, handed, sessions
        Runs that another kernel started, by number, the numbers of all tasks that it sent, as ranges, and the nodes
        with a session that it filled.
    generation
        How many nodes had each rank before.
    events
        Where everything that happens is told.
    placing
        The tasks that wait for a node; see `skyward_jupyter.actors.placing`.
    takers
        What hands each node that is ready its tasks.
    hearers
        What asks each such node for what came although nothing was asked for.
    progress, cost
        What tells how far runs are, and what counts what the nodes cost.
    elastic, bounds
        What changes the number of nodes by itself, if anything does, and between what numbers it may be.
    patience
        Seconds that nodes may take to start.
    failed
        The nodes that could not be started while the pool starts, as they were last, each with its reason as its phase.
    desired, asked
        How many nodes there are to be, and how often that was asked.
    members, whole, turned
        The nodes that know each other and are to stay, whether all of them are ready, and what is set, and made anew,
        whenever the pool has changed.
    project, informed
        The user's project for these nodes, and the digest of what each node is known to have of it.
    client, lone, redial
        The connection to the nodes, or those to each of them where they do not reach each other, and what makes another
        one when its link was broken.
    detoured, detours
        The connections to nodes that the other nodes have given up, and what makes them.
    condemned
        The nodes that were judged not to be there any more, until the pool has heard of it.
    renewed
        The nodes that are to end, and another in their place to begin, because somebody wanted it.
    losses, loss
        What collections tell of here, and a loss that is not made good yet.
    data
        The connection to those of them that hold collections.
    retries, max_retries
        How often a task is repeated that does not say so itself, and how often a node is replaced within an hour.
    pool, placer, supplier, panel, node_actor
        Refs to the pool's actors, and the type of its node actors; set by `skyward_jupyter.actors.assembly`.
    settled, ended
        Set while the pool has its size or has given up, and once nothing of it is left.
    """

    key: str
    name: str
    spec: NodeSpec
    system: casty.ActorSystem
    fleet: Fleet
    desk: Desk
    payloads: Payloads
    events: Bus
    project: Tracker
    informed: dict[int, str] = field(default_factory=dict)
    placing: Placer = field(default_factory=Placer)
    progress: Progress = field(init=False)
    cost: Meter = field(init=False)
    takers: dict[int, Callable[[Sequence[int]], None]] = field(default_factory=dict)
    hearers: dict[int, Callable[[], Awaitable[object]]] = field(default_factory=dict)
    elastic: Autoscaler | None = None
    bounds: tuple[int, int] = (1, LARGEST)
    patience: float = 60.0
    desired: int = 0
    asked: int = 0
    members: frozenset[int] = frozenset()
    whole: bool = False
    turned: asyncio.Event = field(default_factory=asyncio.Event)
    retries: int = 0
    max_retries: int = 0
    state: str = "starting"
    note: str = ""
    failed: dict[int, NodeView] = field(default_factory=dict)
    started: float = field(default_factory=time.time)
    client: casty.Client | None = None
    lone: dict[int, casty.Client] = field(default_factory=dict)
    redial: Redial | None = None
    detoured: dict[int, casty.Client] = field(default_factory=dict)
    detours: Detours | None = None
    condemned: set[int] = field(default_factory=set)
    renewed: set[int] = field(default_factory=set)
    losses: Losses = field(default_factory=Losses)
    loss: Loss | None = None
    data: DataClient = field(init=False)
    connecting: asyncio.Task[None] | None = None
    generation: dict[int, int] = field(default_factory=dict)
    node_actor: Any = None
    pool: Any = None
    placer: Any = None
    supplier: Any = None
    panel: Any = None
    recorder: Recorder | None = None
    epoch: int = 0
    kept: dict[int, Kept] = field(default_factory=dict)
    handed: list[tuple[int, int]] = field(default_factory=list)
    sessions: set[int] = field(default_factory=set)
    settled: asyncio.Event = field(default_factory=asyncio.Event)
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    on_change: Callable[[], None] = lambda: None
    _sent: int = 0
    _refs: dict[tuple[str, int], casty.Ref[Any]] = field(default_factory=dict)
    _node_refs: dict[str, casty.Ref[Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.data = data_client(self)
        self.progress = Progress(self.desk, self.events)
        self.cost = Meter(self.events)

    def node_key(self, rank: int) -> str:
        """The key of the actor of the node that has this rank now; its predecessors had others."""
        return f"{self.key}/{rank}#{self.generation.get(rank, 0)}"

    def node(self, rank: int) -> casty.Ref[Any]:
        """The actor of the node that has this rank now."""
        key = self.node_key(rank)
        known = self._node_refs.get(key)
        if known is None:
            known = self._node_refs[key] = self.system.ref(self.node_actor, key)
        return known

    def node_keys(self) -> tuple[str, ...]:
        """The keys of the actors of all nodes there were."""
        return tuple(self._node_refs)

    def is_current(self, key: str) -> bool:
        """Whether the actor of this key still stands for its rank."""
        return self.node_key(rank_of(key)) == key

    def worker(self, rank: int) -> casty.Ref[Any]:
        """The worker of a node."""
        return self._remote(remote.worker, rank)

    def broadcaster(self, rank: int) -> casty.Ref[Any]:
        """The broadcast actor of a node."""
        return self._remote(remote.broadcast, rank)

    def _remote(self, actor: Any, rank: int) -> casty.Ref[Any]:
        """A ref costs a message to its node, so it is made once."""
        client = self.client_of(rank)
        if client is None:
            raise casty.Unavailable(f"node {rank} is not connected yet")
        known = self._refs.get((actor.name, rank))
        if known is None:
            known = client.ref(actor, remote.KEY, at=self.fleet.address(rank))
            self._refs[actor.name, rank] = known
        return known

    def client_of(self, rank: int) -> casty.Client | None:
        """The connection to a node, if there is one."""
        if self.fleet.alone:
            return self.lone.get(rank)
        return self.detoured.get(rank, self.client) if self.detoured else self.client

    def detour(self, rank: int, client: casty.Client | None) -> casty.Client | None:
        """Go to one node through a client of its own from now on, or no longer; return the one before."""
        former = self.detoured.pop(rank, None)
        if client is not None:
            self.detoured[rank] = client
        for known in [known for known in self._refs if known[1] == rank]:
            del self._refs[known]
        if former is not None:
            self._sent += former.stats().bytes_sent
        return former

    def replace_client(self, client: casty.Client, rank: int = -1) -> casty.Client | None:
        """Go through another client from now on, to the node of this rank where each has one; return the one before."""
        if self.fleet.alone:
            former = self.lone.get(rank)
            self.lone[rank] = client
        else:
            former, self.client = self.client, client
            self.data.renew()
        self._refs.clear()
        if former is not None:
            self._sent += former.stats().bytes_sent
        return former

    @property
    def bytes_sent(self) -> int:
        """Bytes that left this process for the nodes."""
        return self._sent + self.data.bytes_sent + sum(client.stats().bytes_sent for client in self.clients())

    def clients(self) -> list[casty.Client]:
        """The connections there are."""
        return [*self.lone.values(), *self.detoured.values(), *([self.client] if self.client is not None else [])]

    def own(self) -> Own:
        """What tells a node that this process drives the pool."""
        me = records.me()
        return Own(self.key, self.epoch, me.pid, me.since, me.name, self.loss)

    def unreached(self, rank: int) -> bool:
        """Whether the link to the machine of a node is known to be broken."""
        view = self.desk.nodes.get(rank)
        return view is not None and bool(view.link)

    def shut_out(self, rank: int) -> bool:
        """Whether the cluster, as the pool's client sees it, has given up a node, but not all of them.

        To a client whose links are broken all nodes look dead, and that says nothing about any of them.
        """
        living = self.living(rank)
        return bool(living) and self.fleet.address(rank) not in living

    def living(self, rank: int = -1) -> set[str | None]:
        """The addresses at which the cluster, or that of a node where each is one, has a member that is not dead."""
        client = self.lone.get(rank) if self.fleet.alone else self.client
        members = client.members if client is not None else ()
        return {member.node.address for member in members if member.status != "dead"}

    def exchange(self, rank: int, exchange: Exchange) -> Awaitable[Batch]:
        """Ask a node's worker."""
        return self.worker(rank).ask(exchange)

    async def inform(self, rank: int) -> None:
        """Have a node know the user's project as it is now, unless it does not answer."""
        project = self.project.current()
        if self.informed.get(rank) != project.digest:
            with contextlib.suppress(casty.Unavailable, TimeoutError):
                async with asyncio.timeout(_INFORM_WITHIN):
                    await self.worker(rank).ask(TakeProject(project))
                self.informed[rank] = project.digest

    def peers(self, ranks: tuple[int, ...]) -> tuple[Peer, ...]:
        """The nodes of these ranks."""
        return tuple(Peer(rank, self.fleet.address(rank), self.fleet.accelerators(rank)) for rank in sorted(ranks))

    def turn(self) -> None:
        """Those who wait for a change of the pool look again."""
        self.turned.set()
        self.turned = asyncio.Event()

    def become(self, state: str) -> None:
        """The pool is in another state."""
        if state != self.state:
            self.state = state
            self.events.emit(PoolState, state, self.note)

    def show(self, view: NodeView) -> None:
        """Publish the latest view of a node."""
        self.desk.nodes[view.rank] = view
        self.on_change()


def register(hub: Hub) -> None:
    """Make a hub findable."""
    _hubs[hub.key] = hub


def unregister(hub: Hub) -> None:
    """Its actors are over."""
    _hubs.pop(hub.key, None)


def fail(key: str, why: str) -> None:
    """An actor of a pool failed: whoever waits for the pool is told instead of waiting on."""
    hub = _hubs.get(key.partition("/")[0])
    if hub is not None and hub.state == "starting":
        hub.note = f"the pool could not be started ({why})"
        hub.settled.set()


def rank_of(key: str) -> int:
    """The rank in the key of a node's actor."""
    return int(key.partition("/")[2].partition("#")[0])


def find(key: str) -> Hub | None:
    """The hub of an actor's key (``POOL`` or ``POOL/RANK#N``); None once the pool is over."""
    return _hubs.get(key.partition("/")[0])
