"""A member of a cluster with collections, in a process of its own: it makes the calls that it reads, one a line.

Started as ``python -m tests.member RANK PORT PORT...``. A call is JSON, ``[kind, name, parties, method,
args]``, and is answered with how long it took and what came of it.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from datetime import timedelta

from casty import ActorSystem, Cluster, Event

from skyward_jupyter.collections import steward
from skyward_jupyter.collections.address import Address, Kind, Who
from skyward_jupyter.collections.data_nodes import Member
from skyward_jupyter.collections.departed import Departures
from skyward_jupyter.collections.engine import Engine
from skyward_jupyter.collections.repair import Repair
from skyward_jupyter.errors import SkywardError


class _Observer(Repair):
    """Here the cluster of all nodes and that of the data nodes are one."""

    def __init__(self) -> None:
        super().__init__()
        self._departures = Departures()

    def __call__(self, event: Event) -> None:
        """Take an event of the system."""
        super().__call__(event)
        self._departures(event)


async def main(rank: int, addresses: list[str]) -> None:
    """Be a member until there is nothing to read any more."""
    cluster = Cluster(bind=addresses[rank], seeds=(addresses[0],), name="members")
    async with ActorSystem(cluster=cluster, ask_timeout=timedelta(days=1), observer=_Observer()) as system:
        engine = Engine(lambda: system, Member(system), lambda: dict(enumerate(addresses)), rank)
        steward.host(engine)
        while len(system.members) < len(addresses):  # noqa: ASYNC110 - nothing tells of it
            await asyncio.sleep(0.02)
        _say(time.time())
        loop = asyncio.get_running_loop()
        while line := await loop.run_in_executor(None, sys.stdin.readline):
            _say(await _called(engine, rank, *json.loads(line)))


async def _called(
    engine: Engine, rank: int, kind: Kind, name: str, parties: int, method: str, args: list[object]
) -> object:
    began = time.monotonic()
    try:
        value = await engine.call(
            Address(kind, name, parties=parties), method, [_encoded(arg) for arg in args], Who(rank)
        )
    except SkywardError as error:
        value = type(error).__name__
    return [round(time.monotonic() - began, 3), value.decode() if isinstance(value, bytes) else value]


def _encoded(arg: object) -> object:
    if isinstance(arg, list):
        return [_encoded(one) for one in arg]
    return arg.encode() if isinstance(arg, str) else arg


def _say(what: object) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), [f"127.0.0.1:{port}" for port in sys.argv[2:]]))
