"""Puts a pool together: its hub, its actors and their provider, and takes it apart again."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets

import casty

from skyward_jupyter.actors import hub as hubs
from skyward_jupyter.actors import panel as panels
from skyward_jupyter.actors.desk import Desk
from skyward_jupyter.actors.hub import Hub
from skyward_jupyter.actors.messages import Close, Heard, Scale
from skyward_jupyter.actors.node import node
from skyward_jupyter.actors.payloads import Payloads
from skyward_jupyter.actors.pool import pool
from skyward_jupyter.actors.recorder import Recorder
from skyward_jupyter.actors.supplier import supplier
from skyward_jupyter.actors.task import placer
from skyward_jupyter.providers import records
from skyward_jupyter.providers.base import NodeSpec, Report
from skyward_jupyter.providers.local import LocalProvider
from skyward_jupyter.providers.records import PoolRecord

#: How long the end of a pool's nodes is waited for (seconds); they are killed, so this is generous.
END_WITHIN = 10.0

log = logging.getLogger("skyward")
_systems: list[casty.ActorSystem] = []


async def _system() -> casty.ActorSystem:
    """The actor system of this kernel: without a cluster, one for all pools."""
    if not _systems:
        _systems.append(await casty.ActorSystem(observer=_observe).__aenter__())
    return _systems[0]


def _observe(event: casty.Event) -> None:
    """An actor of ours that fails is a defect: say so where the pool is shown, and in the log."""
    if isinstance(event, casty.ActivationFailed):
        log.error("actor %s/%s failed", event.actor, event.key, exc_info=event.error)
        hubs.fail(event.key, f"{type(event.error).__name__}: {event.error}")


async def assemble(name: str, spec: NodeSpec, *, share: bool = True) -> Hub:
    """A pool with no nodes yet. `share=False` sends local payloads through the cluster, as to a remote machine."""
    key = f"{name}~{secrets.token_hex(4)}"

    def heard(report: Report) -> None:
        facts = report.facts
        text = str(facts.get("why") or facts.get("text") or "")
        made.supplier.tell(Heard(report.rank, report.what, int(str(facts.get("pid", 0))), text))

    provider = LocalProvider(name, spec, heard, share=share, key=key)
    made = Hub(
        key=key,
        name=name,
        spec=spec,
        system=await _system(),
        provider=provider,
        desk=Desk(),
        payloads=Payloads(provider.shared),
    )
    hubs.register(made)
    made.node_actor = node
    made.pool = made.system.ref(pool, key)
    made.placer = made.system.ref(placer, key)
    made.supplier = made.system.ref(supplier, key)
    made.recorder = Recorder(made, _record(made), lambda: None)
    made.recorder.begin()
    return made


def _record(hub: Hub) -> PoolRecord:
    provider, spec = hub.provider, hub.spec
    return PoolRecord(
        key=hub.key,
        name=hub.name,
        provider=provider.name,
        cluster=provider.cluster,
        holder=records.me(),
        store=provider.store,
        created=hub.started,
        concurrency=spec.concurrency,
        executor=spec.executor,
        ttl=spec.ttl,
        share=provider.shared is not None,
        places=provider.places,
    )


def attach_panel(hub: Hub, made: panels.Panel) -> None:
    """Give the pool the panel its dashboards attach to."""
    panels.register(made)
    hub.panel = hub.system.ref(panels.panel, hub.key)
    recorder = hub.recorder
    assert recorder is not None

    def changed() -> None:
        made.changed()
        recorder.changed()

    hub.on_change = changed


def resize(hub: Hub, nodes: int) -> None:
    """Ask for so many nodes; `hub.settled` is set once they are there."""
    hub.settled.clear()
    hub.pool.tell(Scale(nodes))


async def dismantle(hub: Hub) -> None:
    """End everything of a pool, whatever state it is in."""
    hub.pool.tell(Close())
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(hub.ended.wait(), END_WITHIN)
    hub.state = "stopped"
    if hub.connecting is not None:
        hub.connecting.cancel()
        await asyncio.wait([hub.connecting])
    if hub.client is not None:
        client, hub.client = hub.client, None
        await client.__aexit__(None, None, None)
    hub.provider.forget()
    if hub.recorder is not None:
        hub.recorder.close()
    hubs.unregister(hub)
    for key in hub.node_keys():
        await hub.system.release(node, key)
    for kind in (pool, placer, supplier, panels.panel):
        await hub.system.release(kind, hub.key)
