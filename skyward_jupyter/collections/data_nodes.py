"""The data nodes of a pool, which hold its collections: which nodes they are, and where they listen.

They form a casty cluster of their own. Every member of a cluster works on each change of it, and that work grows with
the number of members and of the kinds of things held there: the first counter of a hundred members took two cores some
minutes. So the first nodes of a pool hold everything, and the others are clients of them. The first ones are the last
to leave when a pool shrinks.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Protocol

from casty import ActorSystem, System

#: How many nodes, the first ones of a pool, are its data nodes.
DATA_NODES = 8


class DataCluster(Protocol):
    """The cluster of a pool's data nodes, as one process reaches it."""

    async def ready(self) -> None:
        """Connect, unless connected."""
        ...

    def __call__(self) -> System:
        """Return the system to use now; raise Unavailable before `ready`."""
        ...

    def nodes_changed(self) -> None:
        """Go through other data nodes where all that this went through are gone."""
        ...


class Member:
    """The cluster as a data node itself reaches it, as a member."""

    def __init__(self, system: ActorSystem) -> None:
        self.system = system

    async def ready(self) -> None:
        """Return: a member is connected."""

    def __call__(self) -> System:
        """Return the member."""
        return self.system

    def nodes_changed(self) -> None:
        """Do nothing: members tell each other."""


def is_data_node(rank: int) -> bool:
    """Return whether the node of this rank holds collections."""
    return rank < DATA_NODES


def data_cluster_name(cluster: str) -> str:
    """Return the name of the cluster of the data nodes among the nodes of a cluster."""
    return f"{cluster}/data"


def data_address(address: str) -> str:
    """Return where the data node at `address` listens as such: at the port after its agent's."""
    host, _, port = address.rpartition(":")
    return f"{host}:{int(port) + 1}"


def data_addresses(nodes: Mapping[int, str]) -> tuple[str, ...]:
    """Return where the data nodes listen among nodes, given as ranks with the addresses of their agents."""
    return tuple(data_address(address) for rank, address in sorted(nodes.items()) if is_data_node(rank) and address)


def data_seeds(rank: int, seeds: Iterable[str], nodes: Mapping[int, str]) -> tuple[str, ...]:
    """Return through whom a data node joins the others, given the seeds of its agent; nobody for the first one.

    Where no seed is a data node, all of them were lost, and those that start together find each other.
    """
    if not seeds:
        return ()
    others = data_addresses({other: address for other, address in nodes.items() if other != rank})
    known = {data_address(seed) for seed in seeds}
    return tuple(other for other in others if other in known) or others
