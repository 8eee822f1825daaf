"""The cluster of a pool's data nodes: membership of it, and clients of it in all other processes."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager

from casty import Client, Runtime, System, Unavailable

from skyward_jupyter.agent.cluster import client, end, member
from skyward_jupyter.agent.config import AgentConfig
from skyward_jupyter.agent.door import kept_open
from skyward_jupyter.collections.data_nodes import (
    DataCluster,
    Member,
    data_address,
    data_addresses,
    data_cluster_name,
    data_seeds,
    is_data_node,
)
from skyward_jupyter.collections.repair import Repair, meet, repairing
from skyward_jupyter.tasks import Tasks, begin

#: How often a node asks which data nodes there are (seconds); one that asks the wrong one is told so at once.
SYNC = 2.0
#: How long one try to connect anew may take, and the pause between two (seconds).
_WITHIN, _PAUSE = 5.0, 0.5


@asynccontextmanager
async def join_data_cluster(
    config: AgentConfig, repair: Repair, nodes: Callable[[], Mapping[int, str]], shut_out: Callable[[str], None]
) -> AsyncIterator[DataCluster]:
    """Be a data node inside the block, or a client of the data nodes.

    Parameters
    ----------
    nodes
        The nodes that the pool has now, with the addresses of their agents.
    shut_out
        Called with the reason when nobody can connect to this data node any more.
    """
    name = data_cluster_name(config.cluster)
    async with AsyncExitStack() as stack:
        if not is_data_node(config.rank):
            transport = Runtime(threads=1)
            far = DataClient(
                lambda: data_addresses(nodes()),
                lambda seeds: client(name, seeds, config.certificates, transport, SYNC),
            )
            stack.push_async_callback(far.close)
            yield far
            return
        address = data_address(config.address)
        seeds = data_seeds(config.rank, config.seeds, nodes())
        made = member(config, address, seeds, name, repair)
        if config.fills:
            meet(made)
        system = await stack.enter_async_context(made)
        await stack.enter_async_context(kept_open(address, lambda: system.stats().connections, shut_out))
        work = begin(repairing(repair, system), "repairing what collections keep here")
        stack.callback(work.cancel)
        yield Member(system)


class DataClient:
    """The data cluster as a client reaches it: connected to with the first call of a collection.

    Parameters
    ----------
    addresses
        Says where the data nodes listen now.
    connect
        Makes a client that goes through them.
    """

    def __init__(self, addresses: Callable[[], tuple[str, ...]], connect: Callable[[tuple[str, ...]], Client]) -> None:
        self._addresses = addresses
        self._connect = connect
        self._client: Client | None = None
        self._seeds: tuple[str, ...] = ()
        self._sent = 0
        self._connecting = asyncio.Lock()
        self._work = Tasks("connecting to the data nodes anew")

    async def ready(self) -> None:
        """Connect, unless connected."""
        if self._client is None:
            async with self._connecting:
                if self._client is None:
                    self._client = await self._connected()

    def __call__(self) -> System:
        """Return the client; raise Unavailable before `ready`."""
        if self._client is None:
            raise Unavailable("the data nodes are not connected yet")
        return self._client

    @property
    def bytes_sent(self) -> int:
        """Bytes that left this process for the data nodes."""
        return self._sent + (self._client.stats().bytes_sent if self._client is not None else 0)

    def nodes_changed(self) -> None:
        """Connect anew, if connected, where other data nodes have taken the places of all that this went through."""
        addresses = self._addresses()
        if addresses and self._seeds and not set(self._seeds) & set(addresses):
            self.renew()

    def renew(self) -> None:
        """Connect anew, if connected: a link may be broken."""
        if self._client is not None and not self._work:
            self._work.start(self._renew())

    async def close(self) -> None:
        """Disconnect."""
        await self._work.close()
        former, self._client = self._client, None
        if former is not None:
            await former.__aexit__(None, None, None)

    async def _connected(self) -> Client:
        seeds = self._addresses()
        if not seeds:
            raise Unavailable("no data node is there")
        connected = await self._connect(seeds).__aenter__()
        self._seeds = seeds
        return connected

    async def _renew(self) -> None:
        async with self._connecting:
            while True:
                with contextlib.suppress(TimeoutError, OSError, Unavailable):
                    async with asyncio.timeout(_WITHIN):
                        latter = await self._connected()
                        break
                await asyncio.sleep(_PAUSE)
            former, self._client = self._client, latter
        if former is not None:
            self._sent += former.stats().bytes_sent
            await end(former)
