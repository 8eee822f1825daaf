"""The connection to a machine that a provider gave."""

from __future__ import annotations

import asyncio
from pathlib import Path

from skyward_jupyter.providers.base import Instance
from skyward_jupyter.runtime.state import directory
from skyward_jupyter.ssh.connection import Connection
from skyward_jupyter.ssh.hosts import Host, parse
from skyward_jupyter.ssh.keeper import Watch, unwatched
from skyward_jupyter.ssh.known import Ledger

#: The keys that machines showed when they were first logged in to, beside the records of pools.
LEDGER = "known_hosts"


def host_of(instance: Instance) -> Host:
    """What is logged in to."""
    return parse(instance.login, key=instance.key, jump=instance.jump, host_key=instance.host_key)


async def connection(instance: Instance, watch: Watch = unwatched) -> Connection:
    """A connection that is not open yet; `watch` hears how it goes."""
    known = Path(instance.known_hosts) if instance.known_hosts else directory() / LEDGER
    # What the configuration says of it may take a while.
    return Connection(await asyncio.to_thread(host_of, instance), Ledger(known), watch)
