"""What an agent does for the pool's collections at the request of others: the kernel, and the other agents.

It tells who is at a collection here, and what was done to one. And it makes calls for the kernel that need somebody
who is always there: a lock is renewed here, whatever the kernel's own loop is busy with, until the kernel has ended.
"""

from __future__ import annotations

import asyncio
import contextlib
import pickle
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, cast

from casty import Askable, Context, actor

from skyward_jupyter.collections.address import Kind
from skyward_jupyter.collections.presence import Present

if TYPE_CHECKING:
    from skyward_jupyter.collections.client import Client
    from skyward_jupyter.collections.engine import Engine

#: The key of the actor on every node.
KEY = "collections"
_NEVER = timedelta(days=365)


@dataclass(frozen=True)
class Everybody(Askable[tuple[Present, ...]]):
    """Who is at a collection through this node?"""

    kind: str
    name: str


@dataclass(frozen=True)
class Generation(Askable[int]):
    """How often has a barrier opened, as far as this node knows?"""

    name: str


@dataclass(frozen=True)
class Followed:
    """What was done to a collection on one node; `keys` is None when anything may have been."""

    number: int
    keys: tuple[bytes, ...] | None


@dataclass(frozen=True)
class Follow(Askable[Followed]):
    """What is done to a collection through this node after `number`? Answered when there is something, or after a
    while."""

    kind: str
    name: str
    number: int
    hold: float


@dataclass(frozen=True)
class Do(Askable[bytes]):
    """Make a call for the kernel `client`, which calls it `number`. Asked again, it is not made again.

    Attributes
    ----------
    call
        The pickled `skyward_jupyter.collections.client.Call`; answered with a pickled outcome.
    """

    client: str
    number: int
    call: bytes


@dataclass(frozen=True)
class Forget:
    """The kernel has the outcome of a call, or does not wait for it any more."""

    client: str
    number: int
    heard: bool


type StewardMessage = Everybody | Generation | Follow | Do | Forget

type ClientOf = Callable[[str], "Client"]

_hosted: list[tuple[Engine, ClientOf]] = []
_tasks: set[asyncio.Task[None]] = set()


def host(engine: Engine, client: ClientOf) -> None:
    """Make `engine` the one that the steward of this process works with; `client` finds what a kernel has."""
    _hosted[:] = [(engine, client)]


@actor(pinned=True, initial=0, ask_timeout=_NEVER, idle_after=_NEVER)
async def steward(ctx: Context[int, StewardMessage]) -> None:
    """Answers for one node. Never waits between two messages."""
    engine, client = _hosted[0]
    async for message in ctx.inbox:
        match message:
            case Everybody(kind, name):
                message.reply_to.tell(engine.here(cast(Kind, kind), name))
            case Generation(name):
                message.reply_to.tell(engine.generation(name))
            case Follow():
                _own(_follow(engine, message))
            case Do(name, number, call):
                _own(_do(client(name), message, number, call))
            case Forget(name, number, heard):
                client(name).forget(number, heard)


def _own(work: object) -> None:
    task = asyncio.get_running_loop().create_task(work)  # type: ignore[arg-type]
    _tasks.add(task)
    task.add_done_callback(_tasks.discard)


async def _follow(engine: Engine, message: Follow) -> None:
    kind = cast(Kind, message.kind)
    number, keys = await engine.room.journals.follow(kind, message.name, message.number, message.hold)
    message.reply_to.tell(Followed(number, keys))


async def _do(client: Client, message: Do, number: int, call: bytes) -> None:
    with contextlib.suppress(asyncio.CancelledError):
        outcome = await client.outcome(number, pickle.loads(call))
        message.reply_to.tell(outcome)
