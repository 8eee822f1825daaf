"""This machine: every node of a pool is a process of it."""

from __future__ import annotations

import os
import socket
from collections.abc import Sequence
from dataclasses import dataclass

from skyward_jupyter.providers.base import Cluster, Instance, Offer, for_users
from skyward_jupyter.providers.terms import LARGEST


@dataclass(frozen=True, slots=True)
class Local:
    """The nodes run on this machine, side by side."""

    @property
    def name(self) -> str:
        """``local``."""
        return "local"

    @property
    def largest(self) -> int:
        """One loopback address each."""
        return LARGEST

    @property
    def clustered(self) -> bool:
        """They reach each other."""
        return True

    def facts(self) -> dict[str, object]:
        """Nothing."""
        return {}

    async def offers(self) -> tuple[Offer, ...]:
        """This machine, which costs nothing."""
        return (Offer(self.name, socket.gethostname(), cpus=os.cpu_count() or 0),)

    async def prepare(self, pool: str) -> Cluster:
        """There is nothing to make."""
        return Cluster(self.name, pool)

    async def provision(self, cluster: Cluster, count: int, beside: Sequence[Instance]) -> tuple[Instance, ...]:
        """This machine, as often as it is asked for."""
        return tuple(Instance(f"node-{len(beside) + index}", "127.0.0.1") for index in range(count))

    async def get_instance(self, cluster: Cluster, instance: Instance) -> Instance | None:
        """It is there."""
        return instance

    async def terminate(self, cluster: Cluster, instance: Instance) -> None:
        """It stays."""

    async def teardown(self, cluster: Cluster) -> None:
        """There was nothing made."""

    def __dir__(self) -> list[str]:
        return for_users(self)
