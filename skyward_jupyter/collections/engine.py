"""Makes calls of collections on the cluster of the data nodes, as a member of it or as its client.

What does no harm when it is asked for twice is asked for again, for a while, when a node that was asked is lost. Any
call ends by its own clock, whatever the cluster does: with `CollectionUnavailable`, when it may have been made.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from typing import Any, cast

from casty import ActorFailed, MessageTooLarge, Ref, System, Unavailable

from skyward_jupyter.collections.address import Address, Kind, Who
from skyward_jupyter.collections.again import STOPPED, again
from skyward_jupyter.collections.counting import ServedCounter
from skyward_jupyter.collections.data_nodes import DataCluster
from skyward_jupyter.collections.gate import ServedBarrier
from skyward_jupyter.collections.journal import Journals
from skyward_jupyter.collections.latch import ServedLock
from skyward_jupyter.collections.line import ServedQueue
from skyward_jupyter.collections.losses import Losses
from skyward_jupyter.collections.names import Names
from skyward_jupyter.collections.patience import bounded
from skyward_jupyter.collections.presence import Presence, Present
from skyward_jupyter.collections.repair import kept
from skyward_jupyter.collections.served import Linked, Room, Served
from skyward_jupyter.collections.steward import KEY, Everybody, StewardMessage, steward
from skyward_jupyter.collections.tables import ServedDict, ServedSet
from skyward_jupyter.errors import CollectionUnavailable, PoolStopped, SkywardError

#: Seconds that a call which waits for nobody may take, repetitions included.
WITHIN = 20.0
#: The same of one that goes through everything there is.
LONG_WITHIN = 600.0
#: Seconds that a node may take to say who is there.
_TELL_WITHIN = 1.0

_KINDS: Mapping[Kind, type[Served]] = {
    "dict": ServedDict,
    "set": ServedSet,
    "counter": ServedCounter,
    "queue": ServedQueue,
    "barrier": ServedBarrier,
    "lock": ServedLock,
}

log = logging.getLogger("skyward")


class Engine:
    """The collections of a pool.

    Parameters
    ----------
    nodes
        The cluster of all nodes: another client of it where the link was made anew.
    data
        The cluster of the data nodes.
    members
        The nodes that the pool has now, with the addresses of their agents.
    me
        The rank of this node; None for the kernel.
    losses, named
        What is to be told of collections, and what is called with the name of each that is used for the first time.
    """

    def __init__(
        self,
        nodes: Callable[[], System],
        data: DataCluster,
        members: Callable[[], Mapping[int, str]],
        me: int | None,
        losses: Losses | None = None,
        named: Callable[[str], None] = lambda name: None,
    ) -> None:
        self._nodes = nodes
        self._data = data
        self._members = members
        self._me = me
        self._losses = losses if losses is not None else Losses()
        self._named = named
        journals = Journals()
        self.room = Room(
            data,
            lambda: nodes().node.incarnation.hex,
            journals,
            Presence(journals.note),
            ranks=lambda: sorted(members()),
            everybody=self.everybody,
        )
        self._names = Names(lambda: self.room.collections)
        self._served: dict[Address, Served] = {}
        self._stewards: dict[str, Linked[Ref[StewardMessage]]] = {}

    async def call(self, address: Address, method: str, args: Sequence[Any], who: Who, *, is_users: bool = True) -> Any:
        """Make a call of a collection; one that is not the user's tells of no loss."""
        if is_users:
            self._losses.tell(address)
        with told(address, method):
            until = asyncio.get_running_loop().time() + WITHIN
            served = self._served.get(address)
            if served is None:
                async with bounded(WITHIN):
                    served = await self.served(address)
            if method in served.waits:
                return await served.call(method, tuple(args), who)
            if method in served.bulk:
                for piece in served.pieces(args[0]):
                    async with bounded(WITHIN):
                        await served.call(method, (piece,), who)
                return None
            left = until - asyncio.get_running_loop().time()
            async with bounded(LONG_WITHIN if method in served.long else left):
                return await served.call(method, tuple(args), who)

    def own(self, address: Address, method: str, args: Sequence[Any]) -> None:
        """Make a call that nobody waits for."""

        async def work() -> None:
            with contextlib.suppress(SkywardError):
                await self.call(address, method, args, Who(self._me), is_users=False)

        self.room.own(work())

    async def names(self) -> Names:
        """What the names of the pool's collections stand for."""
        async with bounded(WITHIN):
            await again(self._data.ready, WITHIN)
        return self._names

    async def served(self, address: Address) -> Served:
        """What serves a collection, once its name has been found to be that collection's."""
        served = self._served.get(address)
        if served is None:
            names = await self.names()
            await again(lambda: names.claim(address))
            served = _KINDS[address.kind](self.room, address)
            await served.begin()
            served = self._served.setdefault(address, served)
            self._losses.know(address.name)
            self._named(address.name)
        return served

    def here(self, kind: Kind, name: str) -> tuple[Present, ...]:
        """Who is at a collection through this engine."""
        return self.room.presence.at(kind, name)

    def generation(self, name: str) -> int:
        """How often a barrier has opened for somebody here."""
        return max(
            (s.generation for a, s in self._served.items() if isinstance(s, ServedBarrier) and a.name == name),
            default=0,
        )

    async def everybody(self, kind: Kind, name: str) -> tuple[Present, ...]:
        """Who is at a collection, through any engine of the pool that answers."""
        others: list[tuple[Present, ...]] = await self.ask_others(lambda other: other.ask(Everybody(kind, name)))
        return (*self.here(kind, name), *(one for present in others for one in present))

    async def ask_others[T](self, ask: Callable[[Ref[StewardMessage]], Any]) -> list[T]:
        """What the stewards of the other nodes answer; those that do not are left out."""

        async def answer(address: str) -> T | None:
            with contextlib.suppress(TimeoutError, Unavailable, ActorFailed):
                async with asyncio.timeout(_TELL_WITHIN):
                    return cast(T, await ask(self.steward(address)))
            return None

        others = [address for rank, address in self._members().items() if rank != self._me]
        return [one for one in await asyncio.gather(*map(answer, others)) if one is not None]

    async def copies(self) -> int:
        """Of how many keys of collections this node keeps a copy."""
        try:
            return len(await kept(self._data()))
        except Unavailable:
            return 0  # no data node, and no collection was used here

    def steward(self, address: str) -> Ref[StewardMessage]:
        """The steward of the node at `address`. A ref costs a message to its node, so it is made once."""
        if address not in self._stewards:
            self._stewards[address] = Linked(self._nodes, lambda: self._nodes().ref(steward, KEY, at=address))
        return self._stewards[address]()

    def members(self) -> Mapping[int, str]:
        """The nodes that the pool has now."""
        return self._members()

    async def pages(self, address: Address) -> AsyncIterator[tuple[bytes, ...]]:
        """The keys of a dict or the members of a set, some hundred at a time."""
        served = await self.served(address)
        assert isinstance(served, ServedDict | ServedSet)
        async for page in served.pages():
            yield page


@contextlib.contextmanager
def told(address: Address | str, method: str = "") -> Iterator[None]:
    """Tell what the cluster says in the words of this project."""
    began = time.monotonic()
    try:
        yield
    except SkywardError:
        raise
    except Exception as error:
        first = _first(error)
        log.debug("%s of %s ended after %.1f s: %r", method, address, time.monotonic() - began, first)
        match first:
            case RuntimeError() if str(first) == STOPPED:
                raise PoolStopped(f"the pool was stopped, and with it went {address}") from None
            case MessageTooLarge():
                raise CollectionUnavailable(f"{address} has become too large for its nodes: {first}") from None
            case Unavailable() | TimeoutError() | ActorFailed():
                raise CollectionUnavailable(
                    f"too few nodes answered for {address} ({str(first) or 'none of them in time'}); the call may have "
                    "been made. Lost nodes are replaced within seconds: read it, or call again where calling twice is "
                    "safe"
                ) from None
        raise


def _first(error: Exception) -> Exception:
    """What a group is made of, by the first in it."""
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    return error
