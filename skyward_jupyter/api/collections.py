"""Collections in the kernel, or a script: their calls go to the pool's cluster as its client does.

What has to go on while the kernel's own loop is busy, waiting at a barrier and holding a lock, a node does for it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Coroutine, Iterator, Mapping
from typing import Any
from weakref import WeakKeyDictionary

import casty

from skyward_jupyter.actors.hub import Hub
from skyward_jupyter.api import registry
from skyward_jupyter.api.errand import Errands, Holder
from skyward_jupyter.api.waiting import waits_for
from skyward_jupyter.collections.address import Address, Kind, Who
from skyward_jupyter.collections.caller import Call
from skyward_jupyter.collections.collection import Collection
from skyward_jupyter.collections.engine import Engine
from skyward_jupyter.collections.holdings import Holdings
from skyward_jupyter.collections.place import not_clustered
from skyward_jupyter.collections.watch import Watch
from skyward_jupyter.errors import NoPool, PoolStopped, SkywardError
from skyward_jupyter.runtime.bridge import bridge, runtime, wait
from skyward_jupyter.runtime.forks import forget_in_child

#: What a node does for the kernel.
_BY_NODE: frozenset[Kind] = frozenset({"barrier", "lock"})
#: What waits for others, for as long as it takes.
_LONG: frozenset[tuple[Kind, str]] = frozenset({("queue", "get"), ("barrier", "wait")})

_places: dict[str, KernelPlace] = {}


class KernelPlace:
    """The collections of the pool of this name, from the process that drives it."""

    def __init__(self, pool: str) -> None:
        self.pool = pool
        self.holdings = Holdings()
        self._engines: WeakKeyDictionary[Hub, Engine] = WeakKeyDictionary()

    def task(self) -> int:
        """Locks taken here are the process's, whatever it runs."""
        return 0

    def call(self, address: Address, method: str, args: tuple[Any, ...], instead: str) -> Any:
        """Make a call and wait for what it gives."""
        __tracebackhide__ = True
        with _handing(lambda value: self._put_back(address, value)) as keep:
            return wait(keep(self._call(address, method, args)), instead)

    async def call_async(self, address: Address, method: str, args: tuple[Any, ...]) -> Any:
        """`call`, to await on any event loop."""
        with _handing(lambda value: self._put_back(address, value)) as keep:
            return await bridge(keep(self._call(address, method, args)))

    def acquire(self, address: Address, timeout: float | None) -> KernelHold | None:
        """Have a lock; None when it was not free in time."""
        with _handing(_drop) as keep:
            return wait(keep(self._acquire(address, timeout)), "await lock.acquire_async(...)")

    async def acquire_async(self, address: Address, timeout: float | None) -> KernelHold | None:
        """`acquire`, to await on any event loop."""
        with _handing(_drop) as keep:
            return await bridge(keep(self._acquire(address, timeout)))

    def reach(self) -> tuple[Hub, Engine]:
        """The pool's hub, and what makes calls from here. On the runtime's loop."""
        hub = registry.pool(self.pool)._inner.hub
        if hub.fleet.alone:
            raise not_clustered(hub.name)
        if hub.client is None or not hub.desk.nodes:
            raise PoolStopped(
                f"pool {self.pool!r} is {hub.state} and has no node, and collections live in nodes; let an "
                "elastic pool keep one at least"
            )
        if hub not in self._engines:
            losses = hub.losses
            self._engines[hub] = Engine(
                lambda: _client(hub), hub.data, lambda: _members(hub), None, losses, losses.know
            )
        return hub, self._engines[hub]

    async def _call(self, address: Address, method: str, args: tuple[Any, ...]) -> Any:
        hub, engine = self.reach()
        with waits_for(lambda: _awaited(address)) if (address.kind, method) in _LONG else contextlib.nullcontext():
            if address.kind in _BY_NODE:
                return await Errands(hub, engine).run(Call(address, method, args))
            return await engine.call(address, method, args, Who(None))

    async def _acquire(self, address: Address, timeout: float | None) -> KernelHold | None:
        hub, engine = self.reach()
        with waits_for(lambda: _awaited(address)):
            got = await Errands(hub, engine).acquire(address, timeout)
        return None if got is None else KernelHold(got)

    def _put_back(self, address: Address, value: Any) -> None:
        if address.kind == "queue" and isinstance(value, bytes):
            with contextlib.suppress(SkywardError):
                self.reach()[1].own(address, "put", ((value,),))


def _awaited(address: Address) -> str:
    """For what somebody waits who waits for a collection."""
    what = {"queue": "an item in ", "barrier": "the other parties of "}.get(address.kind, "")
    return f"{what}{address.kind} {address.name!r}"


class KernelHold:
    """A lock that is held here, and renewed by a node."""

    def __init__(self, holder: Holder) -> None:
        self.token = holder.token
        self._holder = holder

    def release(self) -> None:
        """Free it."""
        wait(self._holder.release(), "await lock.release_async()")

    async def release_async(self) -> None:
        """`release`, to await on any event loop."""
        await bridge(self._holder.release())

    def drop(self) -> None:
        """Free it, without waiting and without saying that it was lost."""
        runtime().call_soon(lambda: runtime().spawn(self._holder.drop()))


class _Keep:
    """Remembers what a coroutine gave, should nobody hear it."""

    def __init__(self) -> None:
        self.given: list[Any] = []

    async def __call__[T](self, work: Coroutine[Any, Any, T]) -> T:
        value = await work
        self.given.append(value)
        return value


@contextlib.contextmanager
def _handing(take_back: Callable[[Any], None]) -> Iterator[_Keep]:
    """What a call gives to somebody who was interrupted meanwhile goes back."""
    keep = _Keep()
    try:
        yield keep
    except BaseException:
        for value in keep.given:
            runtime().call_soon(take_back, value)
        raise


def _drop(value: KernelHold | None) -> None:
    if value is not None:
        value.drop()


def _client(hub: Hub) -> casty.Client:
    if hub.client is None:
        raise PoolStopped(f"pool {hub.name!r} was stopped, and with it went its collections")
    return hub.client


def _members(hub: Hub) -> Mapping[int, str]:
    return {rank: hub.fleet.address(rank) for rank in sorted(hub.members)}


def find(pool: str | None) -> KernelPlace:
    """The place of a pool of this process, or of the active one."""
    try:
        name = registry.pool(pool).name
    except NoPool:
        if pool in _places:
            raise PoolStopped(
                f"pool {pool!r} does not run any more, and what its collections held went with it; start it again, "
                "or make the collection for another pool"
            ) from None
        raise
    return _places.setdefault(name, KernelPlace(name))


def _forget() -> object:
    """A forked child has none of its parent's collections."""
    left = dict(_places)
    _places.clear()
    return left


forget_in_child(_forget)


def watch(collection: Collection) -> Watch:
    """What a view of a collection is made of. On the runtime's loop."""
    return watch_named(collection.pool, collection.kind, collection.name)


def watch_named(pool: str | None, kind: Kind, name: str) -> Watch:
    """`watch`, for a collection that is known by its name."""
    hub, engine = find(pool).reach()
    return Watch(engine, kind, name, lambda: hub.turned)
