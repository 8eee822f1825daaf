"""The cluster of a pool: casty's settings, the same for every member and client."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta

from casty import ActorSystem, Cluster, Compression, Event, Limits, MemberChanged, Runtime

from skyward_jupyter.agent.config import AgentConfig

#: Sizes of what crosses a connection; members and clients must agree. With this window pieces of 1 MB crossed
#: loopback at twice the speed of the default one.
LIMITS = Limits(frame=256 * 1024, message=8 * 2**20, window=4 * 2**20)
#: Payloads are compressed before they get here, where it pays.
COMPRESSION = Compression(codecs=())
#: An ask outlives any exchange; what ends early is cancelled by whoever asked.
PATIENCE = timedelta(days=365)


@asynccontextmanager
async def join(config: AgentConfig, report: Callable[..., None]) -> AsyncIterator[ActorSystem]:
    """Be a member of the pool's cluster inside the block, and report the members seen."""

    def observe(event: Event) -> None:
        if isinstance(event, MemberChanged):
            report("member", address=event.node.address, status=event.status)

    cluster = Cluster(
        bind=config.address,
        seeds=config.seeds,
        name=config.cluster,
        limits=LIMITS,
        compression=COMPRESSION,
        heartbeat=timedelta(seconds=config.heartbeat),
        suspect_after=timedelta(seconds=5 * config.heartbeat),
        dead_after=timedelta(seconds=5 * config.heartbeat),
    )
    system = ActorSystem(
        cluster=cluster,
        runtime=Runtime(threads=1),
        observer=observe,
        ask_timeout=PATIENCE,
        leave_timeout=timedelta(seconds=1),
    )
    async with system:
        yield system
