"""What an agent is told when it starts, and what its user code may ask about it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Literal

from skyward_jupyter.agent.accelerators import Accelerator

#: The ports of an agent, which has the one after it too, and of its HTTP API, where they are free.
PORT = 25520
HTTP_PORT = 8265


@dataclass(frozen=True, slots=True)
class Peer:
    """A node of the pool: its rank, the address of its agent (``host:port``), and how many GPUs it may use."""

    rank: int
    address: str
    accelerators: int = 0


@dataclass(frozen=True, slots=True)
class AgentConfig:
    """Everything an agent needs, as its launcher sends it.

    Attributes
    ----------
    pool, rank
        Which node of which pool this is.
    address
        The ``host:port`` it listens on and is dialled at.
    seeds
        Members to join the cluster through; none for the first.
    cluster
        Name of the cluster.
    concurrency, executor
        How many slots, and whether they are processes or threads of one process.
    store, certificates
        Directories of its blobs, and of what it shows and expects when it connects.
    shared
        Whether its kernel reads the blobs in that directory itself.
    owner, owner_since, owner_name
        Process id of the kernel whose life this agent watches (0 for none), when that process started, and what it
        is called.
    epoch
        How often the pool was taken over by another kernel.
    key, record
        What names the pool unlike any other, and the file that records it.
    ttl
        Seconds it lives on without its owner.
    renewed
        Whether the owner is on another machine, and its lease is renewed from there.
    alone
        Whether the nodes of the pool do not reach each other: each is a cluster of its own.
    heartbeat
        Seconds between heartbeats of the cluster; suspicion comes after five of them.
    fills
        Whether it takes the place of one that was lost, and copies what collections kept there.
    peers
        The nodes of the pool when it started.
    http, token
        The ``host:port`` of its HTTP API, empty for none, and the file of the token that callers show.
    accelerators
        The GPUs that it may use.
    paths, directory, env
        ``sys.path``, working directory and environment of user code; where the owner is on another machine, what the
        environment has in addition to the machine's own.
    """

    pool: str
    rank: int
    address: str
    seeds: tuple[str, ...]
    cluster: str
    store: str
    certificates: str = ""
    shared: bool = False
    concurrency: int = 1
    executor: Literal["process", "thread"] = "process"
    owner: int = 0
    owner_since: float = 0.0
    owner_name: str = ""
    epoch: int = 0
    key: str = ""
    record: str = ""
    ttl: float = 30.0
    renewed: bool = False
    alone: bool = False
    heartbeat: float = 1.0
    fills: bool = False
    peers: tuple[Peer, ...] = ()
    http: str = ""
    token: str = field(default="", repr=False)
    accelerators: tuple[Accelerator, ...] = ()
    paths: tuple[str, ...] = ()
    directory: str = ""
    env: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def name(self) -> str:
        """``POOL/RANK``, as it shows in ``ps``."""
        return f"{self.pool}/{self.rank}"

    def to_json(self) -> str:
        """One line of JSON."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> AgentConfig:
        """What `to_json` was called on."""
        fields = json.loads(text)
        fields["peers"] = tuple(Peer(**peer) for peer in fields["peers"])
        fields["accelerators"] = tuple(Accelerator(**gpu) for gpu in fields["accelerators"])
        for name in ("seeds", "paths"):
            fields[name] = tuple(fields[name])
        return cls(**fields)
