"""Puts a pool together: its hub, its actors and their fleet, and takes it apart again."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
from dataclasses import replace
from typing import TYPE_CHECKING

import casty

from skyward_jupyter.actors import hub as hubs
from skyward_jupyter.actors import panel as panels
from skyward_jupyter.actors.adoption import expect
from skyward_jupyter.actors.bus import Bus
from skyward_jupyter.actors.connection import Redial
from skyward_jupyter.actors.desk import Desk
from skyward_jupyter.actors.detours import Detours
from skyward_jupyter.actors.hub import Hub
from skyward_jupyter.actors.messages import Adopt, Close, Heard, Scale, Taken
from skyward_jupyter.actors.node import node
from skyward_jupyter.actors.payloads import Payloads
from skyward_jupyter.actors.pool import pool
from skyward_jupyter.actors.recorder import Recorder
from skyward_jupyter.actors.supplier import supplier
from skyward_jupyter.actors.task import placer
from skyward_jupyter.events import PoolState
from skyward_jupyter.fleets.base import Fleet, Report
from skyward_jupyter.fleets.choice import found_fleet, new_fleet
from skyward_jupyter.project.tracker import Tracker
from skyward_jupyter.providers import records
from skyward_jupyter.providers.base import Provider
from skyward_jupyter.providers.records import PoolRecord
from skyward_jupyter.providers.terms import NodeSpec, Terms
from skyward_jupyter.runtime.forks import forget_in_child
from skyward_jupyter.wire.moments import now

if TYPE_CHECKING:
    from skyward_jupyter.ssh.image import Image

#: How long the end of a pool's nodes is waited for (seconds): their slots are killed before that.
END_WITHIN = 12.0

_ANOTHER = "another kernel"

log = logging.getLogger("skyward")
_systems: list[casty.ActorSystem] = []


async def _system() -> casty.ActorSystem:
    """The actor system of this kernel: without a cluster, one for all pools."""
    if not _systems:
        _systems.append(await casty.ActorSystem(observer=_observe).__aenter__())
    return _systems[0]


def _forget() -> object:
    """A forked child makes a system of its own."""
    left = list(_systems)
    _systems.clear()
    return left


forget_in_child(_forget)


def _observe(event: casty.Event) -> None:
    """An actor of ours that fails is a defect: say so where the pool is shown, and in the log."""
    if isinstance(event, casty.ActivationFailed):
        log.error("actor %s/%s failed", event.actor, event.key, exc_info=event.error)
        hubs.fail(event.key, f"{type(event.error).__name__}: {event.error}")


async def assemble(
    name: str,
    spec: NodeSpec,
    terms: Terms,
    events: Bus,
    *,
    provider: Provider,
    image: Image | None = None,
    share: bool = True,
    alone: bool = False,
) -> Hub:
    """A pool with no nodes yet. `share=False` sends local payloads through the cluster, as to a remote machine.

    Raises
    ------
    NameTaken
        It is to be alone with its name, and another pool has it.
    """
    key = f"{name}~{secrets.token_hex(4)}"
    ear = _Ear()
    fleet = new_fleet(provider, name, spec, ear.hear, share=share, key=key, image=image)
    try:
        made = ear.hub = await _hub(key, name, spec, terms, fleet, events)
        _people(made, _record(made, terms))
        assert made.recorder is not None
        made.recorder.begin(alone=alone)
    except BaseException:
        fleet.close()
        await fleet.ended()
        fleet.forget()
        raise
    return made


async def assemble_again(record: PoolRecord, events: Bus) -> Hub:
    """A pool that this process claimed, before it has its nodes; `take_over` gives them to it."""
    former = hubs.find(record.key)
    if former is not None:
        # It was this kernel's before another took it over, and its actors have the names that these will have.
        await dismantle(former)
    spec = NodeSpec(record.concurrency, record.executor, record.ttl, preload=record.terms.preload)
    ear = _Ear()
    fleet = found_fleet(record, spec, ear.hear)
    made = ear.hub = await _hub(record.key, record.name, spec, record.terms, fleet, events)
    made.started, made.epoch = record.created, record.epoch
    made.desk.start_ids(record.epoch)
    made.desk.tallies.take(record.ended)
    expect(made, record.waiting)
    _people(made, replace(record, waiting=()))
    return made


async def _hub(key: str, name: str, spec: NodeSpec, terms: Terms, fleet: Fleet, events: Bus) -> Hub:
    return Hub(
        key=key,
        name=name,
        spec=spec,
        system=await _system(),
        fleet=fleet,
        desk=Desk(),
        payloads=Payloads(fleet.shared),
        events=events,
        project=Tracker(fleet.shared is not None, spec.env),
        retries=terms.retries,
        max_retries=terms.max_retries,
        patience=terms.patience,
    )


async def take_over(hub: Hub, nodes: int) -> bool:
    """Have the nodes of a pool that another kernel started; False when they are gone, or someone else's."""
    ranks = await hub.fleet.take()
    if not ranks:
        return False
    hub.settled.clear()
    hub.pool.tell(Adopt(ranks))
    hub.supplier.tell(Adopt(ranks))
    hub.fleet.present()
    hub.pool.tell(Scale(nodes or len(ranks)))
    if hub.elastic is not None:
        hub.elastic.asked()
    return True


class _Ear:
    """Passes on what the fleet hears to the pool that it is for."""

    hub: Hub

    def hear(self, report: Report) -> None:
        """Take a report of the fleet."""
        facts = report.facts
        if report.what == "taken":
            self.hub.pool.tell(Taken(str(facts["by"])))
            return
        text = str(facts.get("why") or facts.get("text") or "")
        self.hub.supplier.tell(
            Heard(
                report.rank,
                report.what,
                int(str(facts.get("pid", 0))),
                text,
                bool(facts.get("final")),
                int(str(facts.get("slots", 0))),
            )
        )


def _people(made: Hub, record: PoolRecord) -> None:
    """Give a hub its actors, which find it by its key, and its record."""
    hubs.register(made)
    made.events.emit(PoolState, made.state, "")
    made.node_actor = node
    made.pool = made.system.ref(pool, made.key)
    made.placer = made.system.ref(placer, made.key)
    made.supplier = made.system.ref(supplier, made.key)
    made.redial, made.detours = Redial(made), Detours(made)
    made.recorder = Recorder(made, record, lambda: made.pool.tell(Taken(_ANOTHER)))


def _record(hub: Hub, terms: Terms) -> PoolRecord:
    fleet, spec = hub.fleet, hub.spec
    return PoolRecord(
        key=hub.key,
        name=hub.name,
        provider=fleet.name,
        cluster=fleet.cluster,
        holder=records.me(),
        store=fleet.store,
        created=hub.started,
        concurrency=spec.concurrency,
        executor=spec.executor,
        ttl=spec.ttl,
        share=fleet.shared is not None,
        places=fleet.places,
        terms=terms,
        began=now(),
    )


def attach_panel(hub: Hub, made: panels.Panel) -> None:
    """Give the pool the panel its dashboards attach to."""
    panels.register(made)
    hub.panel = hub.system.ref(panels.panel, hub.key)
    hub.events.on_listening()
    recorder = hub.recorder
    assert recorder is not None

    def changed() -> None:
        made.changed()
        recorder.changed()

    hub.on_change = changed


def resize(hub: Hub, nodes: int) -> int:
    """Ask for so many nodes; `hub.settled` is set once they are there. Returns how often that was asked."""
    hub.settled.clear()
    hub.desired = nodes
    hub.asked += 1
    hub.pool.tell(Scale(nodes))
    if hub.elastic is not None:
        hub.elastic.asked()
    return hub.asked


async def dismantle(hub: Hub) -> None:
    """End everything of a pool, whatever state it is in; of one that is another kernel's, only what is here."""
    if hub.recorder is not None and not hub.recorder.is_current:
        hub.pool.tell(Taken(_ANOTHER))
    hub.pool.tell(Close())
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(hub.ended.wait(), END_WITHIN)
    taken = hub.state == "taken"
    if hub.elastic is not None:
        hub.elastic.close()
    hub.cost.close()
    hub.become("stopped")
    hub.settled.set()  # for whoever still waits for it to start
    hub.events.close()
    if hub.connecting is not None:
        hub.connecting.cancel()
        await asyncio.wait([hub.connecting])
    if hub.redial is not None:
        await hub.redial.close()
    if hub.detours is not None:
        await hub.detours.close()
    await hub.data.close()
    clients, hub.client, hub.lone, hub.detoured = hub.clients(), None, {}, {}
    for client in clients:
        await client.__aexit__(None, None, None)
    left = await hub.fleet.ended()
    hub.fleet.forget()
    if hub.recorder is not None and not taken:
        hub.recorder.keep(left) if left else hub.recorder.close()
    for what in left:
        log.warning("pool %s has ended, but this could not be removed: %s", hub.name, what)
    hubs.unregister(hub)
    for key in hub.node_keys():
        await hub.system.release(node, key)
    for kind in (pool, placer, supplier, panels.panel):
        await hub.system.release(kind, hub.key)
