"""Nodes on this machine: real agents of a real cluster on loopback, forked from a warm template.

On Linux each node has its own loopback address and the standard port; elsewhere they share 127.0.0.1 and get ports of
their own. Arguments and results go through files in shared memory.
"""

from __future__ import annotations

import contextlib
import os
import random
import secrets
import shutil
import socket
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import psutil

from skyward_jupyter.agent.channel import Message
from skyward_jupyter.agent.cluster import TOKEN
from skyward_jupyter.agent.config import AgentConfig, Peer
from skyward_jupyter.providers import records, token
from skyward_jupyter.providers.base import Heard, NodeSpec, Report
from skyward_jupyter.providers.launcher import Link, Taken, launcher, take
from skyward_jupyter.providers.records import PoolRecord

PORT = 25520
HTTP_PORT = 8265
#: Above this many nodes heartbeats are rarer, so that a busy machine suspects none of them falsely.
_MANY = 32
_PREFIX = "skyward-"


class LocalProvider:
    """Starts the nodes of one pool on this machine.

    Parameters
    ----------
    key
        What names the pool unlike any other.
    found
        The record of a pool whose nodes run already; `adopt` has it then.
    """

    name = "local"

    def __init__(
        self,
        pool: str,
        spec: NodeSpec,
        heard: Heard,
        *,
        share: bool = True,
        key: str = "",
        found: PoolRecord | None = None,
    ) -> None:
        self._pool = pool
        self._key = key or pool
        self._spec = spec
        self._heard = heard
        self._ports: dict[int, int] = {}
        self._http_ports: dict[int, int] = {}
        self._http: dict[int, str] = {}
        self._closed = self._lost = False
        self._asked: set[int] = set()
        self._pids: dict[int, int] = {}
        self._epoch = 0
        self._taken: Taken | None = None
        self._link: Link | None = None
        self._found(found) if found is not None else self._make()
        self.certificates = f"{self.store}/certificates"
        self.token = token.read(Path(self.certificates))
        self.shared = f"{self.store}/blobs" if share else None

    def _make(self) -> None:
        self.places = _free_block()
        self.cluster = f"{self._pool}-{secrets.token_hex(16)}"
        # The template starts while the certificates are made.
        self._link = launcher()
        self._link.listen(self._key, self._hear)
        self.store = _new_store(self._pool)
        directory = Path(self.store) / "certificates"
        directory.mkdir(mode=0o700)
        from skyward_jupyter.providers import certificates  # takes a while, as long as the template does anyway

        certificates.make(directory, self._pool)
        token.make(directory)

    def _found(self, record: PoolRecord) -> None:
        self.places, self.cluster, self.store = record.places, record.cluster, record.store
        self._ports = {node.rank: int(node.address.rpartition(":")[2]) for node in record.nodes}
        self._epoch = record.epoch

    async def take(self) -> tuple[int, ...] | None:
        """Have the nodes of the pool that was found: the ranks that are ready; None when they are someone else's.

        Of one that is not ready a new one is started in its place.
        """
        taken = await take(self._key, self.store, self._epoch, records.me().name)
        if taken is None:
            return None
        self._taken, self._link = taken, taken.link
        self._spec = replace(self._spec, env=taken.config.env)
        self._link.listen(self._key, self._hear)
        self._asked.update(agent.rank for agent in taken.agents)
        return tuple(sorted(agent.rank for agent in taken.agents if agent.ready))

    def present(self) -> None:
        """Report the nodes that were taken, and what was heard of them since."""
        assert self._taken is not None
        for agent in self._taken.agents:
            if agent.ready:
                self._hear({"op": "started", "rank": agent.rank, "pid": agent.pid})
                for report in agent.reports:
                    self._hear(report)
        for message in self._taken.early:
            self._hear(message)
        self._taken = None

    def address(self, rank: int) -> str:
        """The ``host:port`` of a node's agent."""
        if self.places:
            return f"{self.places}.{rank + 1}:{PORT}"
        return f"127.0.0.1:{self._ports.setdefault(rank, _free_port())}"

    def http(self, rank: int) -> str:
        """The ``host:port`` of a node's HTTP API, as the node has said; empty while it has none."""
        return self._http.get(rank, "")

    def _http_address(self, rank: int) -> str:
        if self.places:
            return f"{self.places}.{rank + 1}:{HTTP_PORT}"
        return f"127.0.0.1:{self._http_ports.setdefault(rank, _free_port())}"

    def start(self, ranks: Sequence[int], peers: Sequence[Peer], seeds: Sequence[int]) -> None:
        """Start nodes, which join through up to three of `seeds`; one that is its own only seed starts the cluster."""
        if self._closed:
            for rank in ranks:
                self._heard(Report(rank, "exited", {"why": "the pool was stopped"}))
            return
        link = self._living_link()
        me = records.me()
        for rank in ranks:
            if rank in self._asked:
                # One that does not answer any more still holds the address; its end is not the new one's.
                self.kill(rank)
                self._pids.pop(rank, None)
                self._http.pop(rank, None)
            config = AgentConfig(
                pool=self._pool,
                rank=rank,
                address=self.address(rank),
                seeds=tuple(self.address(seed) for seed in seeds[:3] if seed != rank),
                cluster=self.cluster,
                store=f"{self.store}/blobs" if self.shared else f"{self.store}/{rank}",
                certificates=self.certificates,
                concurrency=self._spec.concurrency,
                executor=self._spec.executor,
                owner=me.pid,
                owner_since=me.since,
                owner_name=me.name,
                epoch=self._epoch,
                key=self._key,
                record=str(records.path_of(self._key)),
                ttl=self._spec.ttl,
                heartbeat=1.0 if len(peers) <= _MANY else 2.0,
                peers=tuple(peers),
                http=self._http_address(rank),
                token=f"{self.certificates}/{TOKEN}",
                paths=tuple(map(str, sys.path)),
                directory=os.getcwd(),
                env={**os.environ, **self._spec.env},  # as it is now: the template's is older
            )
            self._asked.add(rank)
            link.send({"op": "start", "config": config.to_json()})

    def alive(self, rank: int) -> bool:
        """Whether the agent's process has started and not ended, and is not stopped either."""
        try:
            return rank in self._pids and psutil.Process(self._pids[rank]).status() != psutil.STATUS_STOPPED
        except psutil.NoSuchProcess:
            return False

    def hourly_cost(self, rank: int) -> float:
        """Nothing: this machine is paid for."""
        return 0.0

    def kill(self, rank: int) -> None:
        """End a node at once."""
        if self._link is not None:
            self._link.send({"op": "kill", "pool": self._key, "rank": rank})

    def _living_link(self) -> Link:
        """The connection to the template that has the pool's nodes, or to another where that one has ended."""
        if self._link is None or not self._link.alive:
            self._link = launcher()
            self._link.listen(self._key, self._hear)
        return self._link

    def close(self) -> None:
        """End every node and remove the pool's files."""
        if self._lost:
            return
        self._closed = True
        for rank in sorted(self._asked):
            self.kill(rank)
        if self._link is not None:
            self._link.send({"op": "forget", "pool": self._key})
        shutil.rmtree(self.store, ignore_errors=True)

    def lose(self) -> None:
        """The pool is another kernel's: neither start nor end anything of it any more."""
        self._lost = self._closed = True
        self.forget()

    def forget(self) -> None:
        """Stop listening, once every node has ended."""
        if self._link is not None:
            self._link.forget(self._key)

    def _hear(self, message: Message) -> None:
        match message["op"]:
            case "template_gone":
                self._pids.clear()
                self._http.clear()
                for rank in sorted(self._asked):
                    self._asked.discard(rank)
                    self._heard(Report(rank, "exited", {"why": f"the template process ended, {message['why']}"}))
            case "started":
                self._pids[message["rank"]] = message["pid"]
                self._heard(Report(message["rank"], "started", {"pid": message["pid"]}))
            case "exited":
                self._exited(message)
            case "taken":
                self._heard(Report(-1, "taken", {"by": message["by"]}))
            case "report":
                if message["what"] == "http":
                    self._http[message["rank"]] = message["address"]
                self._heard(Report(message["rank"], message["what"], message))

    def _exited(self, message: Message) -> None:
        rank = message["rank"]
        if message["pid"] in (0, self._pids.get(rank)):
            self._pids.pop(rank, None)
            self._http.pop(rank, None)
            self._asked.discard(rank)
            self._heard(Report(rank, "exited", {"why": message["why"]}))


async def end(record: PoolRecord) -> None:
    """End the nodes of a pool that this process claimed, and remove its files."""
    taken = await take(record.key, record.store, record.epoch, records.me().name)
    if taken is not None:
        taken.link.send({"op": "end"})
        taken.link.send({"op": "forget", "pool": record.key})
        taken.link.drop()
    shutil.rmtree(record.store, ignore_errors=True)
    records.remove(record)


def _free_block() -> str:
    """A loopback /24 of this pool's own, as ``127.a.b``; empty where the system has only 127.0.0.1."""
    if sys.platform != "linux":
        return ""
    for _ in range(64):
        block = f"127.{random.randint(64, 191)}.{random.randint(0, 255)}"
        with socket.socket() as probe:
            try:
                probe.bind((f"{block}.1", PORT))
            except OSError:
                continue
            return block
    return ""


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def shared_memory() -> Path:
    """A directory in memory that every process of this machine can map, or the one for temporary files."""
    memory = Path("/dev/shm")
    return memory if os.access(memory, os.W_OK) else Path(tempfile.gettempdir())


def _new_store(pool: str) -> str:
    """A directory in shared memory where there is one; those of owners that are gone are removed on the way."""
    base = shared_memory()
    _sweep(base)
    return tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-{pool}-", dir=base)


def _sweep(base: Path) -> None:
    held = {record.store for record in _recorded() if record.holder.alive}
    for path in base.glob(f"{_PREFIX}*-*"):
        owner = path.name.removeprefix(_PREFIX).partition("-")[0]
        with contextlib.suppress(OSError):
            if owner.isdigit() and not psutil.pid_exists(int(owner)) and str(path) not in held and not _in_use(path):
                shutil.rmtree(path)


def _recorded() -> list[PoolRecord]:
    try:
        return records.read()[0]
    except OSError:
        return []


def _in_use(store: Path) -> bool:
    """Whether agents of an owner that is gone are still counting down, and will remove it themselves."""
    pool = store.name.removeprefix(_PREFIX).partition("-")[2].rpartition("-")[0]
    return any(
        (process.info["name"] or "").startswith("skyward") and f" {pool}/" in " ".join(process.info["cmdline"] or ())
        for process in psutil.process_iter(["name", "cmdline"])
    )
