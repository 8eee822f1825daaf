"""Nodes on machines somewhere else, reached over SSH: one on each machine, the very agents and slots of a local pool.

What is asked for takes a while here, so every start and every end is a task of its own; whoever asked hears how it
went. A node whose machine cannot be reached is not lost: see `skyward_jupyter.fleets.site`.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import secrets
from collections.abc import Coroutine, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from skyward_jupyter.agent.channel import Message
from skyward_jupyter.agent.cluster import TOKEN
from skyward_jupyter.agent.config import AgentConfig, Peer
from skyward_jupyter.collections.data_nodes import data_address
from skyward_jupyter.errors import (
    AuthenticationFailed,
    ConnectionFailed,
    HostKeyChanged,
    PoolHeld,
    ProvisioningFailed,
    SkywardError,
    UsageError,
)
from skyward_jupyter.fleets.admission import Admission
from skyward_jupyter.fleets.base import Heard, Preloaded, Report, heartbeat
from skyward_jupyter.fleets.estate import Estate
from skyward_jupyter.fleets.footing import check_loopback
from skyward_jupyter.fleets.keeping import Keeping
from skyward_jupyter.fleets.link import Refused
from skyward_jupyter.fleets.place import Place, Plan, place_from
from skyward_jupyter.fleets.remains import Remains
from skyward_jupyter.fleets.site import Site
from skyward_jupyter.fleets.store import certificates_in, furnish, keep_image, kept_image, new_store
from skyward_jupyter.providers import records, token
from skyward_jupyter.providers.base import Instance, Provider
from skyward_jupyter.providers.records import PoolRecord
from skyward_jupyter.providers.terms import NodeSpec
from skyward_jupyter.ssh.image import Image
from skyward_jupyter.tasks import Tasks, begin, promise
from skyward_jupyter.wire.spill import hold_store, let_store_go, remove_store

#: How long the end of everything is waited for (seconds).
END_WITHIN = 30.0
#: What does not get better by being tried again.
_FINAL = (ProvisioningFailed, AuthenticationFailed, HostKeyChanged, UsageError)


class RemoteFleet:
    """Runs the nodes of one pool on the machines of a provider.

    Parameters
    ----------
    key
        What names the pool unlike any other.
    found
        The record of a pool whose nodes run already; `take` has it then.
    """

    shared: str | None = None
    preloaded = Preloaded()

    def __init__(
        self,
        pool: str,
        spec: NodeSpec,
        heard: Heard,
        provider: Provider,
        *,
        key: str,
        image: Image | None = None,
        found: PoolRecord | None = None,
    ) -> None:
        self.name = provider.name
        self.alone = not provider.clustered
        self._pool = pool
        self._key = key
        self._spec = spec
        self._heard = heard
        self._estate = Estate(provider, key)
        self._sites: dict[int, Site] = {}
        self._former: dict[int, Place] = {}
        self._pids: dict[int, int] = {}
        self._http: dict[int, str] = {}
        self._located: dict[int, asyncio.Event] = {}
        self._starting: dict[int, asyncio.Task[None]] = {}
        self._ending = Tasks(f"ending what pool {pool!r} has on its machines")
        self._remains = Remains()
        self._admission = Admission()
        self._reached: set[int] = set()
        self._failures: dict[int, str] = {}
        self._closed = self._lost = False
        self._answers: dict[int, Message] = {}
        check_loopback()
        if found is not None:
            self.store, self.cluster, epoch = found.store, found.cluster, found.epoch
            hold_store(self.store)
        else:
            self.store, self.cluster, epoch = self._made(image or Image()), f"{pool}-{secrets.token_hex(16)}", 0
        certificates = certificates_in(self.store)
        self.certificates = str(certificates)
        self.token = token.read(certificates)
        self._plan = Plan(
            key=key,
            epoch=epoch,
            by=records.me().name,
            holder=secrets.token_hex(8),
            ttl=spec.ttl,
            certificates=certificates,
            image=kept_image(self.store),
            alone=self.alone,
        )
        self._keeping = Keeping(self._plan, records.path_of(key), spread=provider.clustered)
        if found is not None:
            self._recall(json.loads(found.places))

    def _made(self, image: Image) -> str:
        """The directory of a new pool; another kernel may want it for as long as its nodes wait for one."""

        def fill(store: str) -> None:
            furnish(store, self._pool)
            keep_image(store, image)

        return new_store(self._pool, fill, after=self._spec.ttl)

    # -- what it is --------------------------------------------------------------------------------------------------

    @property
    def places(self) -> str:
        """What another kernel needs to have the pool."""
        sites = [site.to_json() for _, site in sorted(self._sites.items()) if site.place is not None]
        return json.dumps({**self._estate.to_json(), "sites": sites, "left": self._remains.to_json()})

    def address(self, rank: int) -> str:
        """The ``host:port`` of a node's agent; before that is known, its machine's."""
        site = self._sites.get(rank)
        if site is not None and site.place is not None and site.located:
            return site.place.address
        instance = self._estate.at(rank)
        return instance.login if instance is not None else ""

    def http(self, rank: int) -> str:
        """The ``host:port`` of a node's HTTP API; empty while it has none."""
        return self._http.get(rank, "")

    def dial(self, address: str) -> str:
        """The end of the tunnel to an agent."""
        for site in self._sites.values():
            if site.place is None:
                continue
            for at, end in (
                (site.place.address, site.forwards[0]),
                (data_address(site.place.address), site.forwards[2]),
            ):
                if at == address and end:
                    return f"127.0.0.1:{end}"
        return address

    def alive(self, rank: int) -> bool:
        """Whether a node was started and its end was not heard of."""
        return rank in self._pids

    def accelerators(self, rank: int) -> int:
        """How many GPUs its machine has."""
        site = self._sites.get(rank)
        return len(site.place.accelerators) if site is not None and site.place is not None else 0

    def hourly_cost(self, rank: int) -> float:
        """What its machine costs; nothing where it is there anyway."""
        instance = self._estate.at(rank)
        return instance.price if instance is not None else 0.0

    def instance(self, rank: int) -> Instance | None:
        """The machine of a node."""
        return self._estate.at(rank)

    # -- starting ----------------------------------------------------------------------------------------------------

    def start(self, ranks: Sequence[int], peers: Sequence[Peer], seeds: Sequence[int], *, fills: bool = False) -> None:
        """Start nodes, which join through up to three of `seeds`; one that is its own only seed starts the cluster."""
        if self._closed:
            for rank in ranks:
                self._exited(rank, "the pool was stopped")
            return
        together = promise(self._estate.provide(ranks))
        for rank in ranks:
            self._pids.pop(rank, None)
            self._http.pop(rank, None)
            self._located.setdefault(rank, asyncio.Event()).clear()
            if (former := self._starting.get(rank)) is not None:
                former.cancel()
            self._starting[rank] = begin(
                self._start(rank, together, peers, seeds, fills),
                f"starting node {rank} of pool {self._pool!r}",
                partial(self._failed, rank),
            )

    async def _start(
        self, rank: int, provided: asyncio.Task[None], peers: Sequence[Peer], seeds: Sequence[int], fills: bool
    ) -> None:
        try:
            # One that fails fails for all of them; one that is called off does so for itself.
            await asyncio.shield(provided)
            site = await self._site(rank)
            self._reached.add(rank)
            self._located[rank].set()
            others = [] if self.alone else [seed for seed in seeds[:3] if seed != rank]
            for seed in others:
                await self._located.setdefault(seed, asyncio.Event()).wait()
            if others and not any(self._is_located(seed) for seed in others):
                raise ProvisioningFailed(f"it joins through node {others[0]}: {self._failures.get(others[0], 'gone')}")
            if not self.alone:
                await self._admission.turn(rank)
            site.start(self._config(rank, site, peers, others, fills).to_json())
            self._keep()
        except (SkywardError, OSError, Refused) as error:
            # A machine that was there may come back; one that never was is not worth another wait.
            self._failures[rank] = _plainly(error)
            never = isinstance(error, ConnectionFailed) and rank not in self._reached
            self._exited(rank, _plainly(error), final=never or isinstance(error, _FINAL))
        finally:
            if self._starting.get(rank) is asyncio.current_task():
                self._located[rank].set()

    def _failed(self, rank: int, error: BaseException) -> None:
        """A start ended as it never should: whoever waits for the node is told."""
        self._failures[rank] = why = f"{type(error).__name__}: {error}"
        self._exited(rank, why, final=True)

    def _is_located(self, rank: int) -> bool:
        return rank in self._sites and self._sites[rank].located

    async def _site(self, rank: int) -> Site:
        """The machine of a rank, with a template that listens."""
        site = self._sites.get(rank)
        if site is not None and site.up:
            return site
        former = self._former.pop(rank, None)
        if site is not None:
            # One that was not even logged in to has ended nothing of the one before it.
            former = site.place or former
            await site.disconnect()
        instance = self._estate.at(rank)
        if instance is None:
            raise ProvisioningFailed("it is not wanted any more")
        made = self._sites[rank] = Site(rank, instance, self._plan, self._hear)
        try:
            await made.open(former)
        except BaseException:
            if former is not None and made.place is None:
                self._former[rank] = former
            raise
        return made

    def _config(self, rank: int, site: Site, peers: Sequence[Peer], seeds: Sequence[int], fills: bool) -> AgentConfig:
        assert site.place is not None
        place, me = site.place, records.me()
        known = tuple(
            replace(peer, address=self.address(peer.rank), accelerators=self.accelerators(peer.rank))
            for peer in peers
            if self._is_located(peer.rank)
        )
        return AgentConfig(
            pool=self._pool,
            rank=rank,
            address=place.address,
            seeds=tuple(self.address(seed) for seed in seeds if self._is_located(seed)),
            cluster=self.cluster,
            alone=self.alone,
            fills=fills,
            store=f"{place.directory}/blobs",
            certificates=f"{place.directory}/certificates",
            concurrency=self._spec.concurrency,
            executor=self._spec.executor,
            owner=me.pid,
            owner_since=me.since,
            owner_name=me.name,
            epoch=self._plan.epoch,
            key=self._key,
            ttl=self._spec.ttl,
            renewed=True,
            heartbeat=heartbeat(len(peers)),
            peers=known,
            http=place.http_address,
            accelerators=place.accelerators,
            token=f"{place.directory}/certificates/{TOKEN}",
            directory=place.work,
            env=dict(self._spec.env),
        )

    def _keep(self) -> None:
        """Tell whoever renews the nodes' lease where they are."""
        if not self._lost and not self._closed:
            self._keeping.watch([site for _, site in sorted(self._sites.items()) if site.located])

    # -- what is heard -----------------------------------------------------------------------------------------------

    def _hear(self, message: Message) -> None:
        rank = message["rank"]
        match message["op"]:
            case "template_gone":
                self._exited(rank, message["why"])
            case "started":
                self._pids[rank] = message["pid"]
                self._heard(Report(rank, "started", {"pid": message["pid"]}))
            case "exited" if message["pid"] in (0, self._pids.get(rank)):
                self._exited(rank, message["why"])
            case "taken":
                self._heard(Report(-1, "taken", {"by": message["by"]}))
            case "report":
                if message["what"] == "http":
                    self._http[rank] = f"127.0.0.1:{self._sites[rank].forwards[1]}"
                elif message["what"] == "ready":
                    self._admission.leave(rank)
                self._heard(Report(rank, message["what"], message))

    def _exited(self, rank: int, why: str, *, final: bool = False) -> None:
        self._pids.pop(rank, None)
        self._http.pop(rank, None)
        self._admission.leave(rank)
        if not self._lost:
            self._heard(Report(rank, "exited", {"why": why, "final": final}))

    # -- another kernel's nodes --------------------------------------------------------------------------------------

    def _recall(self, facts: dict[str, Any]) -> None:
        found = list(map(place_from, facts["sites"]))
        self._estate.recall(facts, {rank: instance for rank, instance, _ in found})
        for rank, instance, place in (*found, *map(place_from, facts["left"])):
            site = Site(rank, instance, self._plan, self._hear, place)
            if site.located and self._estate.at(rank) == instance:
                self._sites.setdefault(rank, site)
            if self._sites.get(rank) is not site:
                self._remains.add(site)

    async def take(self) -> tuple[int, ...] | None:
        """Have the nodes of the pool that was found: the ranks that are ready; None when they are someone else's."""
        found = list(self._sites.items())
        answers = await asyncio.gather(*(site.reopen() for _, site in found), return_exceptions=True)
        for (rank, site), answer in zip(found, answers, strict=True):
            if isinstance(answer, BaseException):
                await site.disconnect()
                del self._sites[rank]
                if site.place is not None:
                    self._former[rank] = site.place
            elif _ready(answer):
                self._answers[rank] = answer
        if not self._answers:
            unreached = [str(answer) for answer in answers if isinstance(answer, SkywardError | OSError)]
            if unreached:
                raise PoolHeld(f"the machines of pool {self._pool!r} could not be reached: {unreached[0]}")
            return None
        config = next(AgentConfig.from_json(answer["config"]) for answer in self._answers.values())
        self._spec = replace(self._spec, env=config.env)
        return tuple(sorted(self._answers))

    def present(self) -> None:
        """Report the nodes that were taken."""
        for rank, answer in sorted(self._answers.items()):
            site = self._sites[rank]
            site.adopt(answer)
            self._located.setdefault(rank, asyncio.Event()).set()
        self._answers.clear()
        self._keep()

    def lose(self) -> None:
        """The pool is another kernel's: neither start nor end anything of it any more."""
        self._lost = self._closed = True
        self._keeping.close()
        self._admission.close()
        for task in self._starting.values():
            task.cancel()
        for site in self._sites.values():
            self._own(site.disconnect())

    # -- the end -----------------------------------------------------------------------------------------------------

    def kill(self, rank: int) -> None:
        """End a node at once; it is reported as exited."""
        starting, site = self._starting.get(rank), self._sites.get(rank)
        waits = starting is not None and not starting.done()
        if starting is not None:
            starting.cancel()
        if site is not None and site.up:
            # There may be one that was to be followed by the one that waits; its end is not that one's.
            site.send({"op": "kill", "rank": rank})
            if not waits and (rank in self._pids or site.asked):
                return
        self._exited(rank, "it was ended")

    def release(self, rank: int) -> None:
        """End a node whose rank is not wanted any more, and let go of its machine."""
        self._own(self._end(rank))
        self._keep()

    def close(self) -> None:
        """End every node and remove what was made for them."""
        if self._closed:
            return
        self._closed = True
        self._keeping.close()
        self._own(self._close())

    async def _close(self) -> None:
        self._admission.close()
        ranks = self._estate.ranks | self._sites.keys() | self._starting.keys()
        await asyncio.gather(self._remains.again(), *map(self._end_and_tell, ranks))
        await self._estate.close()
        if not self._remains and not self._estate.kept:
            remove_store(self.store)

    async def _end_and_tell(self, rank: int) -> None:
        try:
            await self._end(rank)
        finally:
            self._exited(rank, "the pool was stopped")

    def _end(self, rank: int) -> Coroutine[Any, Any, None]:
        """Let go of a rank at once; what is returned ends all of it: its processes, its files there, its machine."""
        self._pids.pop(rank, None)
        starting, site = self._starting.pop(rank, None), self._sites.pop(rank, None)
        if starting is not None:
            starting.cancel()
        return self._ended(rank, self._estate.take(rank), site, starting)

    async def _ended(
        self, rank: int, instance: Instance | None, site: Site | None, starting: asyncio.Task[None] | None
    ) -> None:
        if starting is not None:
            await asyncio.wait([starting])
        if site is not None:
            try:
                await site.close()
            except (SkywardError, OSError):
                self._remains.add(site)
        former = self._former.pop(rank, None)
        if instance is None:
            return
        if former is not None:
            await self._remains.remove(Site(rank, instance, self._plan, self._hear, former))
        await self._estate.give_back(instance)

    def close_now(self) -> None:
        """End everything at the end of this process: another one, which renewed the nodes' lease so far, does it."""
        if not self._lost and not self._closed:
            self._closed = True
            self._keeping.finish()
            remove_store(self.store)

    async def ended(self) -> tuple[str, ...]:
        """Wait until all is removed; returns what could not be."""
        self._own(self._keeping.ended())
        await asyncio.wait(self._ending, timeout=END_WITHIN)
        return (*self._remains.texts, *self._estate.kept)

    def forget(self) -> None:
        """Report nothing any more."""
        self._lost = True
        let_store_go(self.store)
        self._keeping.close()

    def _own(self, work: Coroutine[Any, Any, None]) -> None:
        self._ending.start(work)


async def end_remote(record: PoolRecord, spec: NodeSpec, provider: Provider) -> None:
    """End the nodes of a pool that this process claimed, and remove its files."""
    fleet = RemoteFleet(record.name, spec, lambda _: None, provider, key=record.key, found=record)
    with contextlib.suppress(PoolHeld):
        await fleet.take()
    fleet.close()
    if left := await fleet.ended():
        records.save(replace(record, state="stopped", nodes=(), left=left, places=fleet.places))
    else:
        records.remove(record)


def _ready(answer: Message) -> bool:
    return any(report["what"] == "ready" for agent in answer["agents"] for report in agent["reports"])


def _plainly(error: BaseException) -> str:
    return str(error) or type(error).__name__
