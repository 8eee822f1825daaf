"""Nodes on this machine: real agents of a real cluster on loopback, forked from a warm template.

On Linux each node has its own loopback address and the standard port; elsewhere they share 127.0.0.1 and get ports of
their own. Arguments and results go through files in shared memory.
"""

from __future__ import annotations

import contextlib
import os
import random
import secrets
import socket
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import psutil

from skyward_jupyter.agent.accelerators import Accelerator, here, share
from skyward_jupyter.agent.again import lack
from skyward_jupyter.agent.channel import Message
from skyward_jupyter.agent.cluster import TOKEN
from skyward_jupyter.agent.config import HTTP_PORT, PORT, AgentConfig, Peer
from skyward_jupyter.errors import ProvisioningFailed
from skyward_jupyter.fleets.admission import Admission
from skyward_jupyter.fleets.base import Heard, Preloaded, Report, heartbeat
from skyward_jupyter.fleets.footing import check_loopback
from skyward_jupyter.fleets.launcher import Link, Taken, launcher, take
from skyward_jupyter.fleets.preloading import Preload
from skyward_jupyter.fleets.store import certificates_in, furnish, new_store
from skyward_jupyter.providers import records, token
from skyward_jupyter.providers.records import PoolRecord
from skyward_jupyter.providers.terms import NodeSpec
from skyward_jupyter.runtime.bridge import runtime
from skyward_jupyter.ssh.image import Image, working_directory
from skyward_jupyter.wire.spill import hold_store, let_store_go, remove_store

#: Seconds until another template is tried for which the system had no room.
LATER = 0.5


class LocalFleet:
    """Starts the nodes of one pool on this machine.

    Parameters
    ----------
    key
        What names the pool unlike any other.
    image
        What its nodes are to be like: this machine has its packages, and the nodes get its environment and directory.
    found
        The record of a pool whose nodes run already; `adopt` has it then.
    """

    name = "local"
    alone = False

    def __init__(
        self,
        pool: str,
        spec: NodeSpec,
        heard: Heard,
        *,
        share: bool = True,
        key: str = "",
        found: PoolRecord | None = None,
        image: Image | None = None,
    ) -> None:
        self._pool = pool
        self._key = key or pool
        self._spec = spec if image is None else replace(spec, env={**image.env, **spec.env})
        self._directory = "" if image is None else image.root
        self._worked = ""
        self._heard = heard
        self._ports: dict[int, int] = {}
        self._http_ports: dict[int, int] = {}
        self._http: dict[int, str] = {}
        self._gpus: dict[int, tuple[Accelerator, ...]] = {}
        self._closed = self._lost = False
        self._asked: set[int] = set()
        self._pids: dict[int, int] = {}
        self._epoch = 0
        self._admission = Admission()
        self._taken: Taken | None = None
        self._link: Link | None = None
        self.preloaded = Preloaded()
        self._preload = Preload(pool, spec.preload, self._send_preload)
        self._found(found) if found is not None else self._make()
        self.certificates = str(certificates_in(self.store))
        self.token = token.read(Path(self.certificates))
        self.shared = f"{self.store}/blobs" if share else None

    def _make(self) -> None:
        check_loopback()
        self._worked = working_directory()
        self._block = _free_block()
        self.cluster = f"{self._pool}-{secrets.token_hex(16)}"
        # The template starts while the certificates are made.
        try:
            self._link = launcher()
        except OSError as error:
            why = lack(error) or str(error)
            raise ProvisioningFailed(f"pool {self._pool!r} cannot start its template process: {why}") from error
        self._link.listen(self._key, self._hear)
        try:
            self.store = new_store(self._pool, lambda store: furnish(store, self._pool))
        except BaseException:
            self._link.forget(self._key)
            raise

    def _found(self, record: PoolRecord) -> None:
        self._block, self.cluster, self.store = record.places, record.cluster, record.store
        self._ports = {node.rank: int(node.address.rpartition(":")[2]) for node in record.nodes}
        self._epoch = record.epoch
        hold_store(self.store)
        ranks = [node.rank for node in record.nodes]
        self._divide(ranks, ranks)

    @property
    def places(self) -> str:
        """The block of its addresses."""
        return self._block

    async def take(self) -> tuple[int, ...] | None:
        """Have the nodes of the pool that was found: the ranks that are ready; None when they are someone else's.

        Of one that is not ready a new one is started in its place.
        """
        taken = await take(self._key, self.store, self._epoch, records.me().name)
        if taken is None:
            return None
        self._taken, self._link = taken, taken.link
        self._spec = replace(self._spec, env=taken.config.env)
        self._directory = taken.config.directory
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
        if self._block:
            return f"{self._block}.{rank + 1}:{PORT}"
        return f"127.0.0.1:{self._ports.setdefault(rank, _free_port(2))}"

    def http(self, rank: int) -> str:
        """The ``host:port`` of a node's HTTP API, as the node has said; empty while it has none."""
        return self._http.get(rank, "")

    def _http_address(self, rank: int) -> str:
        if self._block:
            return f"{self._block}.{rank + 1}:{HTTP_PORT}"
        return f"127.0.0.1:{self._http_ports.setdefault(rank, _free_port())}"

    def start(self, ranks: Sequence[int], peers: Sequence[Peer], seeds: Sequence[int], *, fills: bool = False) -> None:
        """Start nodes, which join through up to three of `seeds`; one that is its own only seed starts the cluster."""
        if self._closed:
            for rank in ranks:
                self._heard(Report(rank, "exited", {"why": "the pool was stopped"}))
            return
        try:
            self._living_link()
        except OSError as error:
            self._start_later(error, ranks, partial(self.start, ranks, peers, seeds, fills=fills))
            return
        self._divide(ranks, [peer.rank for peer in peers])
        known = tuple(replace(peer, accelerators=self.accelerators(peer.rank)) for peer in peers)
        preload = self._preload.now()
        for rank in ranks:
            # Of one that does not answer any more: the template ends it first, and its end is not the new one's.
            self._pids.pop(rank, None)
            self._http.pop(rank, None)
            self._asked.add(rank)
            config = self._config(rank, known, seeds, fills)
            self._admission.ask(
                rank, partial(self._send, {"op": "start", "config": config.to_json(), "preload": preload})
            )
            preload = None  # once for all of them

    def _send_preload(self, preload: Message) -> None:
        if self._asked:
            self._send({"op": "preload", "pool": self._key, "preload": preload})

    def _start_later(self, error: OSError, ranks: Sequence[int], again: Callable[[], None]) -> None:
        """The system has no room for another template in the place of one that ended: say so, and try again."""
        text = f"cannot start: {lack(error) or error}; it is tried again"
        for rank in ranks:
            self._heard(Report(rank, "lacks", {"slots": 0, "text": text}))
        runtime().loop.call_later(LATER, again)

    def _config(self, rank: int, peers: tuple[Peer, ...], seeds: Sequence[int], fills: bool) -> AgentConfig:
        me = records.me()
        return AgentConfig(
            pool=self._pool,
            rank=rank,
            address=self.address(rank),
            seeds=tuple(self.address(seed) for seed in seeds[:3] if seed != rank),
            cluster=self.cluster,
            fills=fills,
            store=f"{self.store}/blobs" if self.shared else f"{self.store}/{rank}",
            certificates=self.certificates,
            shared=self.shared is not None,
            concurrency=self._spec.concurrency,
            executor=self._spec.executor,
            owner=me.pid,
            owner_since=me.since,
            owner_name=me.name,
            epoch=self._epoch,
            key=self._key,
            record=str(records.path_of(self._key)),
            ttl=self._spec.ttl,
            heartbeat=heartbeat(len(peers)),
            peers=peers,
            accelerators=self._gpus.get(rank, ()),
            http=self._http_address(rank),
            token=f"{self.certificates}/{TOKEN}",
            paths=tuple(map(str, sys.path)),
            directory=self._directory or self._here(),
            env={**os.environ, **self._spec.env},  # as it is now: the template's is older
        )

    def _here(self) -> str:
        """Where this process works, or did when the directory was last there."""
        with contextlib.suppress(FileNotFoundError):
            self._worked = os.getcwd()
        return self._worked

    def alive(self, rank: int) -> bool:
        """Whether the agent's process has started and not ended, and is not stopped either."""
        try:
            return rank in self._pids and psutil.Process(self._pids[rank]).status() != psutil.STATUS_STOPPED
        except psutil.NoSuchProcess:
            return False

    def instance(self, rank: int) -> None:
        """It is this machine."""
        return

    def accelerators(self, rank: int) -> int:
        """How many GPUs of this machine are its share."""
        return len(self._gpus.get(rank, ()))

    def _divide(self, ranks: Sequence[int], nodes: Sequence[int]) -> None:
        """Give each of `ranks` its share of the GPUs among all `nodes`; those that run already keep theirs."""
        gpus = here()
        everyone = sorted({*nodes, *ranks})
        for rank in ranks if gpus else ():
            self._gpus[rank] = share(everyone.index(rank), len(everyone), gpus)

    def hourly_cost(self, rank: int) -> float:
        """Nothing: this machine is paid for."""
        return 0.0

    def kill(self, rank: int) -> None:
        """End a node at once; one that has not started yet never does, and the one that it was to follow ends."""
        if self._admission.leave(rank):
            self._never(rank)
        self._kill(rank)

    def _never(self, rank: int) -> None:
        self._asked.discard(rank)
        self._heard(Report(rank, "exited", {"why": "it was ended"}))

    def _kill(self, rank: int | None = None) -> None:
        self._send({"op": "kill", "pool": self._key, "rank": rank})

    def _send(self, message: Message) -> None:
        if self._link is not None:
            self._link.send(message)

    def _living_link(self) -> None:
        """Have the connection to the template with the pool's nodes, or to another where that one has ended."""
        if self._link is None or not self._link.alive:
            self._link = launcher()
            self._link.listen(self._key, self._hear)

    def dial(self, address: str) -> str:
        """They are reached where they are."""
        return address

    def release(self, rank: int) -> None:
        """End a node whose rank is not wanted any more."""
        self.kill(rank)

    def close_now(self) -> None:
        """End everything; the template sees to it."""
        self.close()

    async def ended(self) -> tuple[str, ...]:
        """Nothing is left once the nodes have ended."""
        return ()

    def close(self) -> None:
        """End every node and remove the pool's files."""
        if self._lost:
            return
        self._closed = True
        for rank in self._admission.close():
            self._never(rank)
        self._kill()
        self._send({"op": "forget", "pool": self._key})
        remove_store(self.store)

    def lose(self) -> None:
        """The pool is another kernel's: neither start nor end anything of it any more."""
        self._lost = self._closed = True
        self._admission.close()
        self.forget()

    def forget(self) -> None:
        """Stop listening, once every node has ended."""
        self._preload.end()
        let_store_go(self.store)
        if self._link is not None:
            self._link.forget(self._key)

    def _hear(self, message: Message) -> None:
        match message["op"]:
            case "template_gone":
                self._admission.close()
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
            case "left":
                self._heard(Report(message["rank"], "left", {"pid": message["pid"]}))
            case "taken":
                self._heard(Report(-1, "taken", {"by": message["by"]}))
            case "preloaded":
                self.preloaded = self._preload.told(message)
            case "report":
                if message["what"] == "http":
                    self._http[message["rank"]] = message["address"]
                elif message["what"] == "ready":
                    self._admission.leave(message["rank"])
                self._heard(Report(message["rank"], message["what"], message))

    def _exited(self, message: Message) -> None:
        rank = message["rank"]
        if message["pid"] in (0, self._pids.get(rank)):
            self._pids.pop(rank, None)
            self._http.pop(rank, None)
            self._asked.discard(rank)
            self._admission.leave(rank)
            self._heard(Report(rank, "exited", {"why": message["why"]}))


async def end_local(record: PoolRecord) -> None:
    """End the nodes of a pool that this process claimed, and remove its files."""
    taken = await take(record.key, record.store, record.epoch, records.me().name)
    if taken is not None:
        taken.link.send({"op": "end"})
        taken.link.send({"op": "forget", "pool": record.key})
        taken.link.drop()
    remove_store(record.store)
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


def _free_port(count: int = 1) -> int:
    """A port that is free, as are those after it, `count` in all."""
    while True:
        with contextlib.ExitStack() as probes:
            first = 0
            try:
                for following in range(count):
                    probe = probes.enter_context(socket.socket())
                    probe.bind(("127.0.0.1", first and first + following))
                    first = first or int(probe.getsockname()[1])
            except (OSError, OverflowError):
                continue
            return first
