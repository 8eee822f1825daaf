"""What an agent does for the pool's collections at the request of others: the kernel, and the other agents.

It tells who is at a collection here, and what was done to one. And it makes calls for the kernel that need somebody
who is always there: a lock is renewed here, whatever the kernel's own loop is busy with, until the kernel has ended.
"""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, cast

from casty import Askable, Context, actor

from skyward_jupyter.collections.address import Kind
from skyward_jupyter.collections.caller import Caller, failed, read_call
from skyward_jupyter.collections.presence import Present
from skyward_jupyter.tasks import Tasks

if TYPE_CHECKING:
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
class Copies(Askable[int]):
    """Of how many parts of collections does this node keep a copy?"""


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
    """Make a call for the kernel `kernel`, which calls it `number`. Asked again, it is not made again.

    Attributes
    ----------
    call
        The pickled `skyward_jupyter.collections.caller.Call`; answered with a pickled outcome.
    """

    kernel: str
    number: int
    call: bytes


@dataclass(frozen=True)
class Forget:
    """The kernel has the outcome of a call, or does not wait for it any more."""

    kernel: str
    number: int
    heard: bool


type StewardMessage = Everybody | Generation | Copies | Follow | Do | Forget

_hosted: list[Engine] = []
_kernels: dict[str, Caller] = {}
_tasks = Tasks("answering for a collection")


def host(engine: Engine) -> None:
    """Make `engine` the one that the steward of this process works with."""
    _hosted[:] = [engine]


def drop_kernels() -> None:
    """The kernel has ended, or is not the one that drives the pool any more: what it held is freed."""
    for caller in _kernels.values():
        caller.gone()
    _kernels.clear()


@actor(pinned=True, initial=0, ask_timeout=_NEVER, idle_after=_NEVER)
async def steward(ctx: Context[int, StewardMessage]) -> None:
    """Answers for one node. Never waits between two messages."""
    engine = _hosted[0]
    async for message in ctx.inbox:
        match message:
            case Everybody(kind, name):
                message.reply_to.tell(engine.here(cast(Kind, kind), name))
            case Generation(name):
                message.reply_to.tell(engine.generation(name))
            case Copies():
                _tasks.start(_count(engine, message), partial(_not_counted, message))
            case Follow():
                _tasks.start(_follow(engine, message))  # asked again when its time is over
            case Do(name, number, call):
                _tasks.start(_do(_kernel(engine, name), message, number, call), partial(_not_made, message))
            case Forget(name, number, heard):
                _kernel(engine, name).forget(number, heard)


def _kernel(engine: Engine, name: str) -> Caller:
    if name not in _kernels:
        _kernels[name] = Caller(engine)
    return _kernels[name]


def _not_counted(message: Copies, _: BaseException) -> None:
    message.reply_to.tell(0)


def _not_made(message: Do, error: BaseException) -> None:
    message.reply_to.tell(failed(error))


async def _count(engine: Engine, message: Copies) -> None:
    message.reply_to.tell(await engine.copies())


async def _follow(engine: Engine, message: Follow) -> None:
    kind = cast(Kind, message.kind)
    number, keys = await engine.room.journals.follow(kind, message.name, message.number, message.hold)
    message.reply_to.tell(Followed(number, keys))


async def _do(caller: Caller, message: Do, number: int, call: bytes) -> None:
    with contextlib.suppress(asyncio.CancelledError):
        outcome = await caller.outcome(number, read_call(call))
        message.reply_to.tell(outcome)
