"""Where user code is running: the node, its pool and its peers, as seen from inside a slot."""

from __future__ import annotations

from dataclasses import dataclass, field

from skyward_jupyter.agent.config import AgentConfig, Peer


@dataclass(frozen=True, slots=True)
class InstanceInfo:
    """The node that the calling code runs on.

    Attributes
    ----------
    node
        Rank of this node, from 0.
    total_nodes
        How many nodes the pool has.
    is_head
        Whether this is the node of the lowest rank.
    head_addr, head_port
        Address of the head, for code that needs a rendezvous (host, port of its agent).
    accelerators
        Names of the GPUs that this node may use.
    total_accelerators
        How many all nodes have together; one that several nodes of a machine share counts for each.
    peers
        Addresses of the other nodes, in rank order.
    job_id
        Name of the pool.
    ranks
        The numbers of all nodes, in order; where one has left, they have gaps.
    """

    node: int
    total_nodes: int
    is_head: bool
    head_addr: str
    head_port: int
    peers: tuple[str, ...]
    job_id: str
    accelerators: tuple[str, ...] = ()
    total_accelerators: int = 0
    ranks: tuple[int, ...] = field(default=(), repr=False)


def info_of(config: AgentConfig, peers: tuple[Peer, ...]) -> InstanceInfo:
    """Where code on the node of `config` runs, among `peers`, itself included."""
    ordered = sorted(peers, key=lambda peer: peer.rank)
    host, _, port = ordered[0].address.rpartition(":")
    return InstanceInfo(
        node=config.rank,
        total_nodes=len(ordered),
        is_head=config.rank == ordered[0].rank,
        head_addr=host,
        head_port=int(port),
        peers=tuple(peer.address for peer in ordered if peer.rank != config.rank),
        job_id=config.pool,
        accelerators=tuple(gpu.name for gpu in config.accelerators),
        total_accelerators=sum(peer.accelerators for peer in ordered),
        ranks=tuple(peer.rank for peer in ordered),
    )


def outside() -> InstanceInfo:
    """Where code runs that is in no pool: on one node, which is the head."""
    return InstanceInfo(node=0, total_nodes=1, is_head=True, head_addr="127.0.0.1", head_port=0, peers=(), job_id="")


_current: InstanceInfo | None = None


def enter(info: InstanceInfo) -> None:
    """Say where the code of this process runs."""
    global _current
    _current = info


def on_node() -> bool:
    """Whether this process runs code for a node."""
    return _current is not None


def is_head(info: InstanceInfo | None = None) -> bool:
    """Whether this code runs on the head, the node of the lowest number: ``sky.instance_info().is_head``.

    In a notebook, outside any node, it does. ``@sky.stdout(only=sky.is_head)`` shows what the head prints.
    """
    return (info or instance_info()).is_head


def instance_info() -> InstanceInfo:
    """Where this code runs.

    In a notebook, outside any node, it describes a pool of one.
    """
    return _current or outside()
