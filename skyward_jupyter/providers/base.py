"""Where machines come from: what a provider can give, and the machines it gave.

A provider is asked in steps, each of which may be repeated: what is there, what a pool needs before its first machine,
machines, and the end of a machine and of what the pool needed. It keeps nothing of a pool: everything it has to know
comes back to it as one of these values, which are written down with the pool.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from skyward_jupyter.errors import UsageError


@dataclass(frozen=True, slots=True)
class Offer:
    """A kind of machine that can be had.

    Attributes
    ----------
    provider, kind, region
        Whose it is, what the provider calls it, and where.
    cpus, memory
        Cores, and bytes; 0 where that is not known.
    accelerators
        The names of its GPUs, one for each.
    price
        Money per hour, in the provider's currency.
    spot
        Whether it may be taken away again.
    """

    provider: str
    kind: str
    region: str = ""
    cpus: int = 0
    memory: int = 0
    accelerators: tuple[str, ...] = ()
    price: float = 0.0
    spot: bool = False


@dataclass(frozen=True, slots=True)
class Cluster:
    """What a provider made for one pool before its first machine.

    Attributes
    ----------
    pool
        The pool's key.
    facts
        What the provider has to know of it: names of networks, keys, groups. No secrets.
    """

    provider: str
    pool: str
    facts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Instance:
    """A machine that runs, and how to log in to it.

    Attributes
    ----------
    id
        The provider's name for it, unlike that of any other of its machines.
    address, port, user
        Where it can be reached, and as whom.
    alias
        What the user calls it, when that is more: their ssh configuration may know it by this name.
    key, jump, known_hosts
        The file of the private key, the hosts to go through, and the file of host keys; empty for what the user's ssh
        configuration says.
    host_key
        The only host key to accept, or empty.
    private
        The address by which the other machines of the pool reach it; empty for the one at which it is logged in to.
    region, price, spot, accelerators
        As of its offer.
    """

    id: str
    address: str
    port: int = 0
    user: str = ""
    alias: str = ""
    key: str = ""
    jump: str = ""
    known_hosts: str = ""
    host_key: str = ""
    private: str = ""
    region: str = ""
    price: float = 0.0
    spot: bool = False
    accelerators: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in ("address", "user", "alias", "jump"):
            value = getattr(self, name)
            if any(word.strip().startswith("-") for word in re.split("[,@]", value)) or not value.isprintable():
                raise UsageError(f"machine {self.id!r} has {name} {value!r}: ssh would take that for an option")

    @property
    def login(self) -> str:
        """As ssh would take it: ``user@host:port`` at its longest."""
        if self.alias:
            return self.alias
        user = f"{self.user}@" if self.user else ""
        host = f"[{self.address}]" if ":" in self.address else self.address
        return f"{user}{host}:{self.port}" if self.port else f"{user}{host}"

    @property
    def command(self) -> str:
        """What logs in to it from a terminal."""
        plain = self.alias and not set("@:[") & set(self.alias)
        words = ["ssh"]
        if self.port and not plain:
            words += ["-p", str(self.port)]
        for flag, value in (("-i", self.key), ("-J", self.jump)):
            words += [flag, value] if value else []
        user = f"{self.user}@" if self.user else ""
        return shlex.join([*words, self.alias if plain else f"{user}{self.address}"])


class Provider(Protocol):
    """Where the machines of a pool come from."""

    @property
    def name(self) -> str:
        """As it is written: ``local``, ``ssh``."""
        ...

    @property
    def largest(self) -> int:
        """The most nodes that a pool of it can have."""
        ...

    @property
    def clustered(self) -> bool:
        """Whether its machines reach each other."""
        ...

    def facts(self) -> dict[str, object]:
        """What makes it again, as JSON can say it. No secrets."""
        ...

    async def offers(self) -> tuple[Offer, ...]:
        """What can be had now."""
        ...

    async def prepare(self, pool: str) -> Cluster:
        """Make what the pool of this key needs before its first machine."""
        ...

    async def provision(self, cluster: Cluster, count: int, beside: Sequence[Instance]) -> tuple[Instance, ...]:
        """Give so many machines, beside those that the pool has; ProvisioningFailed when it cannot."""
        ...

    async def get_instance(self, cluster: Cluster, instance: Instance) -> Instance | None:
        """A machine as it is now; None when it is gone for good."""
        ...

    async def terminate(self, cluster: Cluster, instance: Instance) -> None:
        """Give a machine back; nothing happens to one that is gone."""
        ...

    async def teardown(self, cluster: Cluster) -> None:
        """Remove what was made before the first machine."""
        ...


def for_users(provider: Provider) -> list[str]:
    """What ``dir()`` and Tab offer on a provider: its name and what it was made with, not what pools ask it for."""
    return [name for name in object.__dir__(provider) if name == "name" or name not in vars(Provider)]
