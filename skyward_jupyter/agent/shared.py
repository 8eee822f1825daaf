"""The collections of a pool on one of its nodes: the agent's part in them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from casty import ActorSystem

from skyward_jupyter.agent.channel import bound
from skyward_jupyter.agent.data_cluster import join_data_cluster
from skyward_jupyter.agent.reach import door
from skyward_jupyter.collections import steward
from skyward_jupyter.collections.address import Who
from skyward_jupyter.collections.engine import Engine
from skyward_jupyter.collections.server import serve

if TYPE_CHECKING:
    from skyward_jupyter.agent.node import Agent


@asynccontextmanager
async def share(agent: Agent, system: ActorSystem) -> AsyncIterator[None]:
    """Serve collections to the slots of this node, the other nodes and the kernel inside the block."""
    if agent.config.alone:
        # Without its door, whoever uses one here is told that there is no cluster.
        yield
        return
    rank = agent.config.rank

    def who_is(task: int) -> Who:
        labels = (running.task.label for _, running in agent.crew.running if running.task.id == task)
        return Who(rank, task, next(labels, ""))

    def nodes() -> dict[int, str]:
        return {peer.rank: peer.address for peer in agent.peers}

    async with join_data_cluster(agent.config, agent.repair, nodes, agent.shut_out) as data:
        agent.data = data
        engine = Engine(lambda: system, data, nodes, rank, agent.losses, agent.named)
        steward.host(engine)
        async with serve(engine, bound(door(agent.config)), who_is):
            yield
