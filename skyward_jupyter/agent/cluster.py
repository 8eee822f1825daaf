"""What the clusters of a pool have in common: casty's settings, members and clients; and the cluster of all nodes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta

from casty import TLS, ActorDefinition, ActorSystem, Client, Cluster, Compression, Event, Limits, Observer, Runtime

from skyward_jupyter.agent.config import AgentConfig
from skyward_jupyter.collections.departed import Departures

#: Sizes of what crosses a connection; members and clients must agree. With this window pieces of 1 MB crossed
#: loopback at twice the speed of the default one.
LIMITS = Limits(frame=256 * 1024, message=8 * 2**20, window=4 * 2**20)
#: Files of a pool's certificates, and of the token of its HTTP API, beside them.
AUTHORITY, CERTIFICATE, KEY = "authority.pem", "certificate.pem", "key.pem"
TOKEN = "token"
#: Payloads are compressed before they get here, where it pays.
COMPRESSION = Compression(codecs=())
#: An ask outlives any exchange; what ends early is cancelled by whoever asked.
PATIENCE = timedelta(days=365)
#: Heartbeats between two questions to a member that may have been given up: members that have given each other up ask
#: nothing else, so it says how soon they are one cluster again when they can be.
HEAL_EVERY = 5
#: Heartbeats after which the others forget a member that they have given up: it would join again as another then, and
#: its port be closed and opened anew. A hundred on a busy machine give each other up for long.
FORGET_AFTER = 60
#: Seconds that the others may take to have what a node keeps that leaves.
LEAVE_WITHIN = 5.0
#: How often it is looked whether a client that was replaced still waits for answers, until it ends anyway, and the
#: pause between two looks (seconds).
LOOKS, PAUSE = 30, 1.0


def certificates(directory: str) -> TLS:
    """The pool's certificate and authority, in files that its launcher made; both sides of a connection show it."""
    return TLS(cert=f"{directory}/{CERTIFICATE}", key=f"{directory}/{KEY}", ca=f"{directory}/{AUTHORITY}")


@asynccontextmanager
async def join(config: AgentConfig, *hosts: ActorDefinition) -> AsyncIterator[ActorSystem]:
    """Be a member of the cluster of all nodes inside the block; trying goes on for as long as no seed answers.

    Parameters
    ----------
    hosts
        The actors that every node hosts. A member says them as it joins: one that is met later is told to every other
        member by itself. casty has no public call for that.
    """
    system = member(config, config.address, config.seeds, config.cluster, Departures())
    for host in hosts:
        system._learn(host)
    async with system:
        yield system


def member(config: AgentConfig, address: str, seeds: tuple[str, ...], cluster: str, observer: Observer) -> ActorSystem:
    """Return a member of one of the pool's clusters, to be entered."""
    return ActorSystem(
        cluster=Cluster(
            bind=address,
            seeds=seeds,
            name=cluster,
            tls=certificates(config.certificates),
            limits=LIMITS,
            compression=COMPRESSION,
            heartbeat=timedelta(seconds=config.heartbeat),
            suspect_after=timedelta(seconds=5 * config.heartbeat),
            dead_after=timedelta(seconds=5 * config.heartbeat),
            remove_after=timedelta(seconds=FORGET_AFTER * config.heartbeat),
            anti_entropy=timedelta(seconds=HEAL_EVERY * config.heartbeat),
        ),
        # A thread for each cluster: the work of one delays no heartbeat of the other.
        runtime=Runtime(threads=1),
        ask_timeout=PATIENCE,
        leave_timeout=timedelta(seconds=LEAVE_WITHIN),
        observer=observer,
    )


def client(
    cluster: str,
    seeds: tuple[str, ...],
    directory: str,
    runtime: Runtime,
    sync: float,
    *,
    dial: Callable[[str], str] | None = None,
    observer: Observer | None = None,
) -> Client:
    """Return a client of one of the pool's clusters, to be entered.

    Parameters
    ----------
    directory
        Where the pool's certificates are.
    sync
        How often it asks for the members (seconds).
    dial, observer
        Where an address is reached, itself by default, and who hears of members, nobody by default.
    """
    return Client(
        seeds=seeds,
        name=cluster,
        address_map=dial,
        tls=certificates(directory),
        limits=LIMITS,
        compression=COMPRESSION,
        ask_timeout=PATIENCE,
        sync_every=timedelta(seconds=sync),
        observer=observer or _Deaf(),
        runtime=runtime,
    )


async def end(client: Client) -> None:
    """End a client once it waits for nothing; what it would wait for for ever fails then, and is asked anew."""
    try:
        for _ in range(LOOKS):
            await asyncio.sleep(PAUSE)
            if not client.stats().asks_in_flight:
                break
    finally:
        await client.__aexit__(None, None, None)


class _Deaf:
    """Takes no events."""

    def wants(self, kind: type[Event], /) -> bool:
        """Return False, whatever the kind."""
        return False

    def __call__(self, event: Event, /) -> None:
        """Do nothing."""
