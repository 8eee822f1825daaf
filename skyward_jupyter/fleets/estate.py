"""The machines that a provider gave to a pool, by the rank of the node on each."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from skyward_jupyter.errors import SkywardError
from skyward_jupyter.providers.base import Cluster, Instance, Provider


class Estate:
    """What a pool has of a provider.

    Parameters
    ----------
    key
        The pool.

    Attributes
    ----------
    kept
        What could not be given back, for people.
    """

    def __init__(self, provider: Provider, key: str) -> None:
        self.kept: list[str] = []
        self._provider = provider
        self._key = key
        self._cluster: Cluster | None = None
        self._instances: dict[int, Instance] = {}

    @property
    def ranks(self) -> set[int]:
        """Those that have a machine."""
        return set(self._instances)

    def at(self, rank: int) -> Instance | None:
        """The machine of a rank."""
        return self._instances.get(rank)

    async def provide(self, ranks: Iterable[int]) -> None:
        """Have a machine for each of these ranks: the same as before, if it is still there."""
        if self._cluster is None:
            self._cluster = await self._provider.prepare(self._key)
        missing = []
        for rank in ranks:
            known = self._instances.get(rank)
            if known is None or await self._provider.get_instance(self._cluster, known) is None:
                self._instances.pop(rank, None)
                missing.append(rank)
        if missing:
            given = await self._provider.provision(self._cluster, len(missing), tuple(self._instances.values()))
            self._instances.update(zip(missing, given, strict=True))

    def take(self, rank: int) -> Instance | None:
        """The machine of a rank, which has it no more: who takes it gives it back."""
        return self._instances.pop(rank, None)

    async def give_back(self, instance: Instance) -> None:
        """Nobody needs a machine any more."""
        if self._cluster is not None:
            try:
                await self._provider.terminate(self._cluster, instance)
            except (SkywardError, OSError) as error:
                self.kept.append(f"machine {instance.id} ({error})")

    async def close(self) -> None:
        """Remove what was made before the first machine."""
        if self._cluster is not None:
            try:
                await self._provider.teardown(self._cluster)
            except (SkywardError, OSError) as error:
                self.kept.append(f"what the provider made for the pool ({error})")

    def to_json(self) -> dict[str, Any]:
        """What another kernel needs to have the same; the machines are with what is on them."""
        cluster = asdict(self._cluster) if self._cluster is not None else None
        return {"provider": self._provider.name, "facts": self._provider.facts(), "cluster": cluster}

    def recall(self, facts: dict[str, Any], instances: dict[int, Instance]) -> None:
        """Have what `to_json` told."""
        self._cluster = Cluster(**facts["cluster"]) if facts["cluster"] is not None else None
        self._instances.update(instances)
