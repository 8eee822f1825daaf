"""The cluster of a pool: casty's settings, the same for every member and client."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

from casty import TLS, ActorSystem, Cluster, Compression, Limits, Runtime

from skyward_jupyter.agent.config import AgentConfig
from skyward_jupyter.collections.repair import Repair, meet
from skyward_jupyter.tasks import begin

log = logging.getLogger("skyward")

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
#: Seconds that the others may take to have what a node keeps that leaves.
LEAVE_WITHIN = 5.0


def certificates(directory: str) -> TLS:
    """The pool's certificate and authority, in files that its launcher made; both sides of a connection show it."""
    return TLS(cert=f"{directory}/{CERTIFICATE}", key=f"{directory}/{KEY}", ca=f"{directory}/{AUTHORITY}")


async def _repairing(repair: Repair, system: ActorSystem) -> None:
    """Repair for as long as the node is there, whatever goes wrong with one repair."""
    while True:
        try:
            await repair.run(system)
        except Exception:
            log.exception("what collections keep here could not be repaired; it is tried again")


@asynccontextmanager
async def join(config: AgentConfig, repair: Repair) -> AsyncIterator[ActorSystem]:
    """Be a member of the pool's cluster inside the block; trying goes on for as long as no seed answers."""
    cluster = Cluster(
        bind=config.address,
        seeds=config.seeds,
        name=config.cluster,
        tls=certificates(config.certificates),
        limits=LIMITS,
        compression=COMPRESSION,
        heartbeat=timedelta(seconds=config.heartbeat),
        suspect_after=timedelta(seconds=5 * config.heartbeat),
        dead_after=timedelta(seconds=5 * config.heartbeat),
        anti_entropy=timedelta(seconds=HEAL_EVERY * config.heartbeat),
    )
    system = ActorSystem(
        cluster=cluster,
        runtime=Runtime(threads=1),
        ask_timeout=PATIENCE,
        leave_timeout=timedelta(seconds=LEAVE_WITHIN),
        observer=repair,
    )
    if config.fills:
        meet(system)
    async with system:
        repairing = begin(_repairing(repair, system), "repairing what collections keep here")
        try:
            yield system
        finally:
            repairing.cancel()
