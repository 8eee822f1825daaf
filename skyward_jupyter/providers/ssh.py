"""Machines that are there already: the user names them, and has a login for each.

They are used, not made: several pools may share one, and a pool that ends leaves them as they were, except for what is
kept for the next one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from skyward_jupyter.errors import ProvisioningFailed, UsageError
from skyward_jupyter.hints import suggesting
from skyward_jupyter.providers.base import Cluster, Instance, Offer, for_users


@suggesting
@dataclass(frozen=True, slots=True, init=False)
class SSH:
    """Machines that you can log in to with ssh: one node each. `name` is ``ssh``.

    Parameters
    ----------
    hosts
        Names, as ssh would take them (``host``, ``user@host``, ``user@host:port``, or a name from your ssh
        configuration): a list, or one text with commas.
    key
        File of the private key; what your ssh configuration and agent offer when not given.
    jump
        Hosts to go through, with commas between them.
    known_hosts
        File in which a machine that is new is remembered by its host key when it is first logged in to; one of ours
        when not given. What your own files say of a machine counts first.
    cluster
        Whether the machines reach each other. With ``False`` each stands alone behind its own tunnel: calls,
        broadcasts and cells work, collections do not.
    """

    hosts: tuple[str, ...]
    key: str = ""
    jump: str = ""
    known_hosts: str = ""
    cluster: bool = field(default=True)

    def __init__(
        self,
        hosts: str | Sequence[str],
        key: str | Path | None = None,
        jump: str | None = None,
        known_hosts: str | Path | None = None,
        *,
        cluster: bool = True,
    ) -> None:
        from skyward_jupyter.ssh.hosts import parse_all

        file = named_file(key)
        named = tuple(host.name for host in parse_all(hosts, key=file, jump=jump or ""))
        values = (named, file, jump or "", named_file(known_hosts), bool(cluster))
        for name, value in zip(("hosts", "key", "jump", "known_hosts", "cluster"), values, strict=True):
            object.__setattr__(self, name, value)

    @property
    def name(self) -> str:
        """``ssh``."""
        return "ssh"

    @property
    def largest(self) -> int:
        """A node on each."""
        return len(self.hosts)

    @property
    def clustered(self) -> bool:
        """Whether the machines reach each other."""
        return self.cluster

    def facts(self) -> dict[str, object]:
        """Its parameters."""
        return {
            "hosts": list(self.hosts),
            "key": self.key,
            "jump": self.jump,
            "known_hosts": self.known_hosts,
            "cluster": self.cluster,
        }

    async def offers(self) -> tuple[Offer, ...]:
        """The machines; what they have is seen when they are logged in to."""
        return tuple(Offer(self.name, host) for host in self.hosts)

    async def prepare(self, pool: str) -> Cluster:
        """There is nothing to make."""
        return Cluster(self.name, pool)

    async def provision(self, cluster: Cluster, count: int, beside: Sequence[Instance]) -> tuple[Instance, ...]:
        """The first machines that the pool does not have yet."""
        taken = {instance.id for instance in beside}
        free = [host for host in self.hosts if host not in taken]
        if len(free) < count:
            raise ProvisioningFailed(
                f"{len(taken) + count} nodes were asked for and {len(self.hosts)} hosts are named; a machine runs one "
                "node of a pool: name more hosts, or ask for fewer nodes"
            )
        # What the configuration says of each may take a while.
        return await asyncio.to_thread(lambda: tuple(map(self._instance, free[:count])))

    async def get_instance(self, cluster: Cluster, instance: Instance) -> Instance | None:
        """It is there, for all that is known without logging in."""
        return instance

    async def terminate(self, cluster: Cluster, instance: Instance) -> None:
        """It stays."""

    async def teardown(self, cluster: Cluster) -> None:
        """There was nothing made."""

    def __dir__(self) -> list[str]:
        return for_users(self)

    def _instance(self, host: str) -> Instance:
        from skyward_jupyter.ssh.hosts import parse

        found = parse(host, key=self.key, jump=self.jump)
        return Instance(
            id=host,
            address=found.host,
            port=found.port,
            user=found.user,
            alias=host,
            key=self.key,
            jump=self.jump,
            known_hosts=self.known_hosts,
        )


def named_file(path: str | Path | None) -> str:
    """The absolute path of a file that must be there; empty for none."""
    if path is None or path == "":
        return ""
    from skyward_jupyter.ssh.hosts import check_path

    check_path(str(path))
    found = Path(path).expanduser().absolute()
    if not found.is_file():
        raise UsageError(f"there is no file {found}; name the file that ssh would use")
    return str(found)
