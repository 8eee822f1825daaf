"""Which fleet a pool gets: on this machine, or on the machines of a provider. What only one of them needs is imported
only for it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from skyward_jupyter.fleets.base import Fleet, Heard
from skyward_jupyter.fleets.local import LocalFleet, end_local
from skyward_jupyter.providers.base import Provider
from skyward_jupyter.providers.catalog import provider_again
from skyward_jupyter.providers.local import Local
from skyward_jupyter.providers.records import PoolRecord
from skyward_jupyter.providers.terms import NodeSpec

if TYPE_CHECKING:
    from skyward_jupyter.ssh.image import Image


def new_fleet(
    provider: Provider,
    name: str,
    spec: NodeSpec,
    heard: Heard,
    *,
    key: str,
    share: bool = True,
    image: Image | None = None,
) -> Fleet:
    """The fleet of a new pool."""
    if isinstance(provider, Local):
        return LocalFleet(name, spec, heard, share=share, key=key, image=image)
    from skyward_jupyter.fleets.remote import RemoteFleet

    return RemoteFleet(name, spec, heard, provider, key=key, image=image)


def found_fleet(record: PoolRecord, spec: NodeSpec, heard: Heard) -> Fleet:
    """The fleet of a pool that another kernel started."""
    if record.provider == "local":
        return LocalFleet(record.name, spec, heard, share=record.share, key=record.key, found=record)
    from skyward_jupyter.fleets.remote import RemoteFleet

    provider = provider_again(record.provider, json.loads(record.places)["facts"])
    return RemoteFleet(record.name, spec, heard, provider, key=record.key, found=record)


async def end(record: PoolRecord) -> None:
    """End the nodes of a pool that this process claimed, and remove its files."""
    if record.provider == "local":
        await end_local(record)
        return
    from skyward_jupyter.fleets.remote import end_remote

    spec = NodeSpec(record.concurrency, record.executor, record.ttl)
    await end_remote(record, spec, provider_again(record.provider, json.loads(record.places)["facts"]))
