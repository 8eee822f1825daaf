"""What a pool needs of its fleet: nodes started and ended at their ranks, and word of what becomes of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from skyward_jupyter.agent.config import Peer
from skyward_jupyter.providers.base import Instance

_MANY, _VERY_MANY = 32, 64


@dataclass(frozen=True, slots=True)
class Preloaded:
    """What the slots of a pool are born with, instead of importing it.

    Attributes
    ----------
    libraries
        Their names; new slots have them.
    refused
        Those that were to be, with the reason why they are not: slots import them as they use them.
    """

    libraries: tuple[str, ...] = ()
    refused: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        """In one line."""
        has = ", ".join(self.libraries) or "nothing"
        return has + "".join(f"; not {name}: {why}" for name, why in self.refused.items())


@dataclass(frozen=True, slots=True)
class Report:
    """Word of one node, and what goes with it.

    It is ``started``, ``ready``, ``exited``, ``left``, ``phase``, ``log``, ``line``, ``unreached`` or ``mended``.
    ``left`` says that a slot of a node that was lost has ended too, so its results come no more.
    ``phase`` is what is done to it now, ``line`` and ``log`` are what is written meanwhile;
    ``unreached`` says why the link to it is broken, ``mended`` that it is not any more.

    ``taken``, of no node, says that another kernel took the pool over.
    """

    rank: int
    what: str
    facts: Mapping[str, object] = field(default_factory=dict)


type Heard = Callable[[Report], None]


def heartbeat(nodes: int) -> float:
    """Seconds between heartbeats of a cluster: rarer for many nodes, so that a busy machine suspects none falsely."""
    return 1.0 if nodes <= _MANY else 2.0 if nodes <= _VERY_MANY else 4.0


class Fleet(Protocol):
    """Where the nodes of one pool come from. Everything is called on the runtime's loop."""

    name: str
    cluster: str
    #: Private directory of the pool.
    store: str
    #: Directory of the pool's certificates.
    certificates: str
    #: What callers of the nodes' HTTP API show. Never in a log, a repr or an error.
    token: str
    #: Whether the nodes do not reach each other, and each is a cluster of its own.
    alone: bool
    #: Directory that this process and every node can read and write, or None where they share no machine.
    shared: str | None
    #: What slots are born with.
    preloaded: Preloaded

    @property
    def places(self) -> str:
        """What it needs to have the same nodes again, as its pool's record keeps it. No secrets."""
        ...

    def address(self, rank: int) -> str:
        """The ``host:port`` of a node's agent, by which the nodes know it; before that is known, its machine's."""
        ...

    def dial(self, address: str) -> str:
        """Where this process reaches the agent of an address."""
        ...

    def http(self, rank: int) -> str:
        """The ``host:port`` of a node's HTTP API; empty while it has none."""
        ...

    def start(self, ranks: Sequence[int], peers: Sequence[Peer], seeds: Sequence[int], *, fills: bool = False) -> None:
        """Start nodes. `peers` are all nodes of the pool then, `seeds` the ranks to join the cluster through.

        One that `fills` the place of a lost node copies what that one kept of collections before it counts as one that
        keeps it; that makes each further node that joins costlier.
        """
        ...

    def alive(self, rank: int) -> bool:
        """Whether a node is known to run: it was started, and its end was not heard of."""
        ...

    def instance(self, rank: int) -> Instance | None:
        """The machine of a node, if it is another one."""
        ...

    def accelerators(self, rank: int) -> int:
        """How many GPUs a node may use; 0 before that is known."""
        ...

    def hourly_cost(self, rank: int) -> float:
        """What a node of this rank costs per hour from its start to its end, in US dollars; 0 on this machine."""
        ...

    def kill(self, rank: int) -> None:
        """End a node at once; it is reported as exited."""
        ...

    def release(self, rank: int) -> None:
        """Nobody wants a node of this rank any more: end it if it lives, and let go of its machine."""
        ...

    async def take(self) -> tuple[int, ...] | None:
        """Have the nodes of a pool that another kernel started: the ranks that are ready, or None."""
        ...

    def present(self) -> None:
        """Report the nodes that were taken."""
        ...

    def lose(self) -> None:
        """The pool is another kernel's: neither start nor end anything of it any more."""
        ...

    def forget(self) -> None:
        """Report nothing any more: every node has ended."""
        ...

    def close(self) -> None:
        """End every node and remove what was made for them; each is reported as exited. Safe to call again."""
        ...

    def close_now(self) -> None:
        """The same at the end of this process, which waits for nothing: whatever takes time is left to another one."""
        ...

    async def ended(self) -> tuple[str, ...]:
        """Wait, after `close`, until all is removed; returns what could not be."""
        ...
