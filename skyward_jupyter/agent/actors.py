"""The actors an agent hosts: the worker, which takes tasks for its node, and the broadcast actor of the head.

Both are pinned: their key names the node. They never wait between two messages, so a long task holds up nothing.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

from casty import ActorSystem, Askable, Context, Ref, System, actor

from skyward_jupyter.agent.cluster import PATIENCE
from skyward_jupyter.agent.config import Peer
from skyward_jupyter.collections.data_nodes import Member
from skyward_jupyter.collections.repair import kept
from skyward_jupyter.tasks import Tasks
from skyward_jupyter.wire.messages import (
    AwaitNeeds,
    Bereave,
    Broadcast,
    Consult,
    DropBlob,
    Exchange,
    FetchPiece,
    GiveUnit,
    HasBlobs,
    Hears,
    Keeps,
    LackingContents,
    Life,
    Measure,
    Own,
    Part,
    PutPiece,
    Relay,
    Renew,
    RenewSession,
    Rests,
    TakeProject,
    Target,
)

if TYPE_CHECKING:
    from skyward_jupyter.agent.node import Agent

#: The key of every actor of an agent.
KEY = "node"
_NEVER = timedelta(days=365)


@dataclass(frozen=True)
class Peers(Askable[bool]):
    """The nodes of the pool; answered once tasks that come after will see them."""

    nodes: tuple[Peer, ...]


@dataclass(frozen=True)
class Stop:
    """End the agent in order: what is kept on it goes to other nodes first."""


type Payload = PutPiece | FetchPiece | HasBlobs | DropBlob
type Imports = TakeProject | AwaitNeeds | LackingContents | GiveUnit
type Copying = Hears | Rests | Life | Keeps | Bereave
type WorkerMessage = (
    Exchange | Own | Renew | Copying | Relay | Payload | Measure | Peers | Stop | Imports | RenewSession | Consult
)

_hosted: list[Agent] = []
_tasks = Tasks("answering another node")


def host(agent: Agent) -> None:
    """Make `agent` the one that the actors of this process serve."""
    _hosted[:] = [agent]


class Others:
    """The workers of the other nodes. A ref costs a message to its node, so it is made once."""

    def __init__(self, system: System) -> None:
        self._system = system
        self._known: dict[str, Ref[WorkerMessage]] = {}

    def at(self, address: str) -> Ref[WorkerMessage]:
        """The worker of the node at `address`."""
        if address not in self._known:
            self._known[address] = self._system.ref(worker, KEY, at=address)
        return self._known[address]

    def hears(self, address: str) -> bool:
        """Whether the node at `address` is heard from, or at least not given up."""
        members = self._system.members if isinstance(self._system, ActorSystem) else ()
        return any(member.node.address == address and member.status != "dead" for member in members)


@actor(pinned=True, initial=0, ask_timeout=PATIENCE, idle_after=_NEVER)
async def worker(ctx: Context[int, WorkerMessage]) -> None:
    """Takes tasks for its node and answers with their events."""
    agent = _hosted[0]
    others = Others(ctx.system)
    async for message in ctx.inbox:
        match message:
            case Exchange():
                agent.exchange(message)
            case Relay():
                _tasks.start(_relay(agent, message), partial(_no_part, agent, message))
            case Own():
                message.reply_to.tell(agent.own(message))
            case Measure(gpus, tasks_of):
                load = agent.load()
                if tasks_of:
                    load = replace(load, tasks=agent.running(tasks_of))
                message.reply_to.tell(replace(load, gpus=agent.gpus.last()) if gpus else load)
            case PutPiece():
                _tasks.start(_put(agent, others, message), partial(_refuse, message))
            case FetchPiece(name, offset, length):
                message.reply_to.tell(_piece(agent, name, offset, length))
            case HasBlobs(names):
                agent.expect(names)
                message.reply_to.tell(tuple(name for name in names if not agent.store.use(name)))
            case DropBlob(name):
                agent.store.drop(name)
            case TakeProject(project):
                agent.modules.take(project)
                message.reply_to.tell(True)
            case AwaitNeeds():
                agent.modules.hold(message)
            case LackingContents(digests):
                message.reply_to.tell(agent.modules.lacking(digests))
            case GiveUnit():
                _tasks.start(_give(agent, message), partial(_refuse, message))
            case Peers(nodes):
                agent.know(nodes)
                message.reply_to.tell(True)
            case Renew(epoch):
                agent.renew(epoch)
            case Consult():
                _tasks.start(_consult(agent, message), partial(_no_answer, message))
            case RenewSession():
                _tasks.start(_renew_session(agent, message), partial(_no_session, message))
            case Hears(address):
                message.reply_to.tell(others.hears(address))
            case Rests(lives):
                message.reply_to.tell(agent.repair.rests(life for life in lives if life != agent.life))
            case Life():
                message.reply_to.tell(agent.life)
            case Keeps():
                _tasks.start(_keeps(agent, message), partial(_may_keep, message))
            case Bereave(loss):
                agent.bereave(loss)
            case Stop():
                agent.leave()


@actor(pinned=True, initial=0, ask_timeout=PATIENCE, idle_after=_NEVER)
async def broadcast(ctx: Context[int, Broadcast]) -> None:
    """Hands a task to every node it names and answers with how each part ended."""
    agent = _hosted[0]
    others = Others(ctx.system)
    async for message in ctx.inbox:
        _tasks.start(_gather(agent, others, message), partial(_no_parts, message))


def _refuse(message: PutPiece | GiveUnit, error: BaseException) -> None:
    message.reply_to.tell(f"{type(error).__name__}: {error}")


def _no_part(agent: Agent, message: Relay, error: BaseException) -> None:
    message.reply_to.tell(Part(agent.config.rank, None, f"{type(error).__name__}: {error}"))


def _no_parts(message: Broadcast, _: BaseException) -> None:
    """Have the kernel ask each node itself."""
    message.reply_to.tell(())


async def _relay(agent: Agent, message: Relay) -> None:
    message.reply_to.tell(await _part(agent, message, message.target))


async def _part(agent: Agent, message: Relay | Broadcast, target: Target) -> Part:
    """This node's part of a broadcast."""
    if who := agent.taken(message.epoch):
        return Part(agent.config.rank, None, f"{who} took the pool over")
    agent.client(message.client).acknowledge(target.after)
    agent.learn(message.code)
    task = replace(message.task, id=target.task, flags=target.flags)
    return Part(agent.config.rank, await agent.finished(message.client, task))


async def _gather(agent: Agent, others: Others, message: Broadcast) -> None:
    async def part(target: Target) -> Part:
        if target.rank == agent.config.rank:
            return await _part(agent, message, target)
        try:
            relay = Relay(message.client, target, message.task, message.code, message.epoch)
            return await others.at(target.address).ask(relay)
        except Exception as error:
            return Part(target.rank, None, str(error))

    parts = await asyncio.gather(*map(part, message.targets))
    message.reply_to.tell(tuple(parts))


async def _keeps(agent: Agent, message: Keeps) -> None:
    message.reply_to.tell(isinstance(agent.data, Member) and bool(await kept(agent.data.system)))


def _may_keep(message: Keeps, _: BaseException) -> None:
    message.reply_to.tell(True)


async def _consult(agent: Agent, message: Consult) -> None:
    message.reply_to.tell(await agent.crew.consult(message.question))


def _no_answer(message: Consult, _: BaseException) -> None:
    message.reply_to.tell(b"")


async def _renew_session(agent: Agent, message: RenewSession) -> None:
    await agent.crew.renew_session()
    message.reply_to.tell(True)


def _no_session(message: RenewSession, _: BaseException) -> None:
    message.reply_to.tell(False)


async def _give(agent: Agent, message: GiveUnit) -> None:
    message.reply_to.tell(await agent.modules.give(message))


def _piece(agent: Agent, name: str, offset: int, length: int) -> bytes:
    """Nothing for a blob that another kernel has had."""
    try:
        return agent.store.read(name, offset, length)
    except FileNotFoundError:
        return b""


async def _put(agent: Agent, others: Others, message: PutPiece) -> None:
    agent.expect((message.name,))
    try:
        agent.store.write_piece(message.name, message.offset, message.data, message.size)
    except OSError as error:
        message.reply_to.tell(str(error))
        return
    onward = PutPiece(message.name, message.offset, message.size, message.data)
    # A target that is gone takes nothing with it: its own part of the broadcast fails, the others need the piece.
    await asyncio.gather(*(others.at(address).ask(onward) for address in message.targets), return_exceptions=True)
    message.reply_to.tell("")
