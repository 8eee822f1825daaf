"""The actors an agent hosts: the worker, which takes tasks for its node, and the broadcast actor of the head.

Both are pinned: their key names the node. They never wait between two messages, so a long task holds up nothing.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING

from casty import Context, actor

from skyward_jupyter.agent.cluster import PATIENCE
from skyward_jupyter.agent.config import Peer
from skyward_jupyter.wire.messages import (
    Broadcast,
    DropBlob,
    Exchange,
    FetchPiece,
    HasBlobs,
    Measure,
    Part,
    PutPiece,
    Relay,
    Target,
)

if TYPE_CHECKING:
    from skyward_jupyter.agent.node import Agent

#: The key of every actor of an agent.
KEY = "node"
_NEVER = timedelta(days=365)


@dataclass(frozen=True)
class Peers:
    """The nodes of the pool, as (rank, address)."""

    nodes: tuple[tuple[int, str], ...]


@dataclass(frozen=True)
class Stop:
    """End the agent in order."""


type WorkerMessage = Exchange | Relay | PutPiece | FetchPiece | HasBlobs | DropBlob | Measure | Peers | Stop

_hosted: list[Agent] = []
_tasks: set[asyncio.Task[None]] = set()


def host(agent: Agent) -> None:
    """Make `agent` the one that the actors of this process serve."""
    _hosted[:] = [agent]


def _own(work: asyncio.Task[None]) -> None:
    _tasks.add(work)
    work.add_done_callback(_tasks.discard)


@actor(pinned=True, initial=0, ask_timeout=PATIENCE, idle_after=_NEVER)
async def worker(ctx: Context[int, WorkerMessage]) -> None:
    """Takes tasks for its node and answers with their events."""
    agent = _hosted[0]
    async for message in ctx.inbox:
        match message:
            case Exchange():
                agent.exchange(message)
            case Relay():
                _own(asyncio.create_task(_relay(agent, message)))
            case Measure():
                message.reply_to.tell(agent.load())
            case PutPiece():
                _own(asyncio.create_task(_put(ctx, agent, message)))
            case FetchPiece(name, offset, length):
                message.reply_to.tell(agent.store.read(name, offset, length))
            case HasBlobs(names):
                message.reply_to.tell(tuple(name for name in names if not agent.store.has(name)))
            case DropBlob(name):
                agent.store.drop(name)
            case Peers(nodes):
                agent.know(tuple(Peer(rank, address) for rank, address in nodes))
            case Stop():
                agent.stop()


@actor(pinned=True, initial=0, ask_timeout=PATIENCE, idle_after=_NEVER)
async def broadcast(ctx: Context[int, Broadcast]) -> None:
    """Hands a task to every node it names and answers with how each part ended."""
    async for message in ctx.inbox:
        _own(asyncio.create_task(_gather(ctx, message)))


async def _relay(agent: Agent, message: Relay) -> None:
    agent.learn(message.code)
    event = await agent.finished(message.client, message.task)
    message.reply_to.tell(Part(agent.config.rank, event))


async def _gather(ctx: Context[int, Broadcast], message: Broadcast) -> None:
    async def part(target: Target) -> Part:
        task = replace(message.task, id=target.task, flags=target.flags)
        try:
            node = ctx.system.ref(worker, KEY, at=target.address)
            return await node.ask(Relay(message.client, task, message.code))
        except Exception as error:
            return Part(target.rank, None, str(error))

    parts = await asyncio.gather(*map(part, message.targets))
    message.reply_to.tell(tuple(parts))


async def _put(ctx: Context[int, WorkerMessage], agent: Agent, message: PutPiece) -> None:
    whole = agent.store.write_piece(message.name, message.offset, message.data, message.size)
    onward = PutPiece(message.name, message.offset, message.size, message.data)
    targets = [ctx.system.ref(worker, KEY, at=address) for address in message.targets]
    # A target that is gone takes nothing with it: its own part of the broadcast fails, the others need the piece.
    await asyncio.gather(*(target.ask(onward) for target in targets), return_exceptions=True)
    message.reply_to.tell(whole)
