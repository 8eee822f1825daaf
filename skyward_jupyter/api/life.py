"""The life of a pool: its nodes are started, furnished with what calls need, resized and ended.

Everything here is called on the runtime's loop. A start that fails leaves nothing behind.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from skyward_jupyter.actors import assembly
from skyward_jupyter.actors.bus import Bus
from skyward_jupyter.actors.elastic import Autoscaler, Bounds
from skyward_jupyter.actors.hub import Hub
from skyward_jupyter.actors.messages import Taken
from skyward_jupyter.actors.panel import Panel
from skyward_jupyter.agent.context import on_node
from skyward_jupyter.api import naming, reasons, registry
from skyward_jupyter.api.calls import Calls
from skyward_jupyter.api.others import remove_remains, replace_left
from skyward_jupyter.api.spec import Nodes
from skyward_jupyter.api.unstarted import late, unstarted
from skyward_jupyter.api.viewing.displaying import Displaying
from skyward_jupyter.api.waiting import Reason, waits_for
from skyward_jupyter.collections import collection, place
from skyward_jupyter.errors import PoolHeld, PoolStopped, ProvisioningFailed, UsageError
from skyward_jupyter.providers.base import Provider
from skyward_jupyter.providers.records import NameTaken, PoolRecord
from skyward_jupyter.providers.terms import LARGEST, NodeSpec, Terms
from skyward_jupyter.runtime.bridge import runtime
from skyward_jupyter.runtime.forks import depth, left_behind, refuse
from skyward_jupyter.runtime.wakeups import let_wake
from skyward_jupyter.terminal.mode import Mode
from skyward_jupyter.wire.own import unfinished

if TYPE_CHECKING:
    from skyward_jupyter.ssh.image import Image


@dataclass(frozen=True, slots=True)
class Settings:
    """How a pool is to be; as of the parameters of `ComputePool`. One that is `unnamed` was given its name here."""

    name: str
    unnamed: bool
    nodes: Nodes
    spec: NodeSpec
    terms: Terms
    mode: Mode
    share: bool
    provider: Provider
    image: Image | None


class Life:
    """What there is of a pool while it runs, and after.

    Parameters
    ----------
    settings
        How it is to be.
    bus
        Its events.
    list_pool
        Called with whether the pool is one of those that run.

    Attributes
    ----------
    hub, calls, panel
        Its actors' common state, how calls run on it, and what dashboards attach to; None before the first start.
    """

    def __init__(self, settings: Settings, bus: Bus, list_pool: Callable[[bool], None]) -> None:
        self.settings = settings
        self.name = settings.name
        self.hub: Hub | None = None
        self.calls: Calls | None = None
        self.panel: Panel | None = None
        self._bus = bus
        self._list = list_pool
        self._depth = depth()
        self._stopping: asyncio.Task[None] | None = None
        self._tidying: asyncio.Task[None] | None = None
        self._is_presented = False
        if settings.unnamed:
            naming.expect(self)

    @property
    def state(self) -> str:
        """As of `ComputePool.state`."""
        return self.hub.state if self.hub is not None else "new"

    def check(self) -> None:
        """Raise PoolHeld if another kernel took the pool over, NoPool in a child that was forked since."""
        if self.hub is not None:
            refuse(self._depth, f"pool {self.name!r}")
        if self.hub is not None and self.hub.state == "taken":
            back = f"take it back with %sky attach {self.name} --force"
            raise PoolHeld(f"{self.hub.note}; start another one, or {back}")

    async def start(self) -> None:
        """Start the nodes and wait until they are ready."""
        if self.hub is not None:
            refuse(self._depth, f"pool {self.name!r}")
        if self.hub is not None and self.state in ("starting", "ready"):
            await self._also_started(self.hub)
            return
        if self.state == "taken":
            await self.stop()
        self._settle_name()
        self._refuse_second()
        self._refuse_in_import()
        await replace_left(self.name)
        self._tidying = runtime().spawn(remove_remains())
        self._furnish(await self._assembled())
        try:
            with self._presented():
                await self._resized(self.settings.nodes.desired)
                if self.state in ("stopping", "stopped"):
                    raise ProvisioningFailed(self._called_off)
        except BaseException as error:
            if self.panel is not None:
                failed = isinstance(error, ProvisioningFailed) and self.state not in ("stopping", "stopped")
                self.panel.keep("failed" if failed else "stopped")
            await asyncio.shield(runtime().spawn(self.stop()))
            raise

    async def _assembled(self) -> Hub:
        """Return the pool without nodes; one that was given no name gets another while somebody else has that one."""
        how = self.settings
        while True:
            try:
                return await assembly.assemble(
                    self.name,
                    how.spec,
                    how.terms,
                    self._bus,
                    provider=how.provider,
                    image=how.image,
                    share=how.share,
                    alone=how.unnamed,
                )
            except NameTaken:
                self._settle_name()

    def _settle_name(self) -> None:
        if self.settings.unnamed:
            self.name = self._bus.pool = naming.settled(self)

    async def _also_started(self, hub: Hub) -> None:
        """Wait for the end of a start that is under way; one that fails, or is called off, fails for all who wait."""
        with self._waiting(lambda: reasons.of_nodes(hub, max(hub.desired, len(hub.desk.nodes)))):
            await hub.settled.wait()
        self.check()
        if why := unstarted(self.name, self.settings.nodes.desired, hub.failed):
            raise ProvisioningFailed(why)
        if hub.state != "ready":
            raise ProvisioningFailed(hub.note or self._called_off)

    def _refuse_in_import(self) -> None:
        """Refuse what would go on without end: nodes whose import of a module starts more nodes."""
        if on_node() and (module := unfinished()):
            raise UsageError(
                f"a node imports {module}, whose top level starts pool {self.name!r}: "
                'put that into a function, or under `if __name__ == "__main__":`'
            )

    def _refuse_second(self) -> None:
        if any(pool.name == self.name and pool.state != "taken" for pool in registry.pools()):
            raise UsageError(f"a pool named {self.name!r} runs already; stop it, or give this one another name")

    async def attach(self, record: PoolRecord) -> bool:
        """Have the nodes of a pool that this process claimed; False when they are gone."""
        self._refuse_second()
        hub = await assembly.assemble_again(record, self._bus)
        self._furnish(hub)
        try:
            if not await assembly.take_over(hub, self._within(record.size)):
                await self._let_go()
                return False
            with self._waiting(lambda: reasons.of_nodes(hub, record.size)):
                await self._until_settled(self.settings.terms.patience)
        except BaseException:
            await asyncio.shield(runtime().spawn(self._let_go()))
            raise
        self.check()
        return True

    def _within(self, size: int) -> int:
        """A size that the bounds of the pool allow."""
        nodes = self.settings.nodes
        least, most = (nodes.min, nodes.max) if nodes.elastic else (0, LARGEST)
        return max(least, min(most, size))

    async def _let_go(self) -> None:
        """Leave the pool to its nodes, and to who attaches next."""
        assert self.hub is not None
        self.hub.pool.tell(Taken("nobody"))
        await self.stop()

    def _furnish(self, hub: Hub) -> None:
        self.hub = hub
        hub.bounds = (1, self.settings.provider.largest)
        if self.settings.nodes.elastic:
            bounds = Bounds(self.settings.nodes.min, self.settings.nodes.max, self.settings.nodes.idle_after)
            hub.elastic = Autoscaler(hub, bounds, self.settings.nodes.desired)
            hub.bounds, hub.placing.packed = (bounds.smallest, bounds.largest), True
        shown = runtime().in_kernel or self.settings.mode != "off"
        self.calls = Calls(hub, shown=shown)
        self.panel = Panel(
            hub,
            runtime(),
            scale=partial(_resize, hub),
            interrupt=self.interrupt,
            stop=self._stop_soon,
            active=partial(registry.standing, self.name),
        )
        assembly.attach_panel(hub, self.panel)
        if (kernel := runtime().kernel) is not None:
            kernel.call_soon_threadsafe(partial(let_wake, kernel, keep=True))
        else:
            from skyward_jupyter.terminal.awaiting import end_interrupted
            from skyward_jupyter.terminal.views import attach

            attach(self.panel, self.settings.mode)
            end_interrupted()
        place.enter(_place)
        collection.enter(Displaying())
        self._list(True)

    def _waiting(self, reason: Reason) -> AbstractContextManager[None]:
        """Have whoever waits see for what, if that takes long and no dashboard shows it."""
        return nullcontext() if self._is_presented else waits_for(reason, stops=self.state == "starting")

    @contextmanager
    def _presented(self) -> Iterator[None]:
        """In a notebook, show how machines become ready, which takes a while; nodes on this one are there at once."""
        far = self.settings.provider.name != "local"
        if self.panel is None or not runtime().in_kernel or not far or self.settings.mode == "off":
            yield
            return
        from skyward_jupyter.widgets.dashboard import present, renew

        present(self.panel)
        self._is_presented = True
        try:
            yield
        finally:
            self._is_presented = False
        renew(self.panel)

    async def scale(self, nodes: int) -> None:
        """Have `nodes` nodes, and wait until it is so."""
        self.check()
        if self.state not in ("starting", "ready"):
            raise PoolStopped(f"pool {self.name!r} is {self.state}; start it before scaling it")
        await self._resized(nodes)
        if self.state in ("stopping", "stopped"):
            raise PoolStopped(f"pool {self.name!r} was stopped before it had {nodes} nodes")

    @property
    def _called_off(self) -> str:
        return f"pool {self.name!r} was stopped before it was ready"

    async def _resized(self, nodes: int) -> None:
        """Have so many nodes, unless another number is asked for meanwhile, or the pool is stopped."""
        hub = self.hub
        assert hub is not None
        shrinks = nodes < len(hub.desk.nodes)
        turn = assembly.resize(hub, nodes)
        # Nodes that leave finish what they run, however long that takes.
        with self._waiting(lambda: reasons.of_nodes(hub, nodes)):
            await self._until_settled(None if shrinks else self.settings.terms.patience)
        if hub.state in ("stopping", "stopped") or (hub.state == "ready" and hub.asked != turn):
            return
        if hub.state != "ready" or len(hub.desk.nodes) < nodes:
            why = unstarted(self.name, nodes, hub.failed) or hub.note
            raise ProvisioningFailed(why or f"pool {self.name!r} could not start {nodes} nodes")

    async def _until_settled(self, timeout: float | None) -> None:
        assert self.hub is not None
        try:
            await asyncio.wait_for(self.hub.settled.wait(), timeout)
        except TimeoutError:
            raise ProvisioningFailed(late(self.name, self.hub.desk.nodes, self.settings.terms.patience)) from None

    async def stop(self) -> None:
        """End every node."""
        hub, panel = self.hub, self.panel
        if left_behind(self._depth) or hub is None or hub.state == "stopped":
            return
        if panel is not None and hub.state in ("starting", "ready"):
            panel.keep("stopped")
        with self._waiting(lambda: reasons.of_end(hub)):
            await assembly.dismantle(hub)
        self._list(False)
        if panel is not None:
            panel.close()

    def interrupt(self) -> None:
        """Interrupt everything that runs."""
        if self.calls is not None:
            self.calls.interrupt()

    def _stop_soon(self) -> None:
        self._stopping = runtime().spawn(self.stop())

    def close_now(self) -> None:
        """End every node without waiting for the loop: for the process's own end."""
        hub = self.hub
        if hub is None or hub.recorder is None:
            return
        if hub.recorder.is_current:
            hub.state = "stopping"  # so that nothing is made of the nodes' ends, which may still be heard
            hub.fleet.close_now()
            hub.recorder.close()
        else:
            hub.recorder.leave()


def _resize(hub: Hub, nodes: int) -> None:
    assembly.resize(hub, nodes)


def _place(pool: str | None) -> place.Place:
    """What collections need is loaded with the first of them."""
    from skyward_jupyter.api.collections import find

    return find(pool)
