"""Machines that do not reach each other for a while, although the kernel reaches them, or one that nobody reaches.

Packets are dropped where they arrive. No node is ended, nothing of what collections keep is lost, and the nodes are one
cluster again within seconds.
"""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import casty
import pytest

import skyward as sky
from skyward_jupyter.runtime.bridge import wait
from skyward_jupyter.wire.messages import Hears
from tests.faults.conftest import World
from tests.machines import found
from tests.namespaces import HOME, BareMachine, making, missing, python_of

pytestmark = [pytest.mark.fault, pytest.mark.slow, pytest.mark.timeout(300)]

#: Stands at the same place on a machine that shares it.
PYTHON = Path(sys.base_prefix)
NODES, ENTRIES = 4, 100
#: How long the machines are apart (seconds): for longer than nodes that are gone may go unnoticed.
APART = 30.0
#: How long one machine is cut off from everything (seconds): less than a link may be silent.
CUT = 7.5
#: How soon they are one cluster again, and how soon a node that is gone is ended (seconds).
WHOLE_WITHIN, JUDGED = 30.0, 35.0


@sky.compute
def node() -> int:
    return sky.instance_info().node


@dataclass
class Machines:
    """Machines with a pool on them.

    Attributes
    ----------
    lost
        The nodes that were lost.
    """

    machines: Sequence[BareMachine]
    pool: sky.ComputePool
    lost: list[int] = field(default_factory=list)

    def drop(self, at: int, sources: Sequence[int]) -> None:
        """Drop at one machine whatever comes from others."""
        chain = "add table ip cut; add chain ip cut in { type filter hook input priority 0; }; "
        rules = (f"add rule ip cut in ip saddr {self.machines[source].address} drop" for source in sources)
        self._nft(at, chain + "; ".join(rules))

    def split(self, one: Sequence[int], other: Sequence[int]) -> None:
        """Let nothing through between two sides."""
        for side, beyond in ((one, other), (other, one)):
            for at in side:
                self.drop(at, beyond)

    def heal(self) -> None:
        """Let everything through again."""
        for at in range(len(self.machines)):
            self._nft(at, "add table ip cut; delete table ip cut")

    def whole(self) -> bool:
        """Whether every node hears every other one."""
        hub = self.pool._inner.hub

        async def hears(one: int, other: int) -> bool:
            with contextlib.suppress(TimeoutError, casty.Unavailable):
                async with asyncio.timeout(5):
                    return bool(await hub.worker(one).ask(Hears(hub.fleet.address(other))))
            return False

        async def all_hear() -> bool:
            pairs = [(one, other) for one in range(NODES) for other in range(NODES)]
            return all(await asyncio.gather(*(hears(*pair) for pair in pairs)))

        return wait(all_hear())

    def _nft(self, at: int, rules: str) -> None:
        inside = ["nsenter", f"--net=/proc/{self.machines[at].pid}/ns/net"]
        subprocess.run([*inside, found("nft"), rules], check=True, capture_output=True)


@pytest.fixture(scope="module")
def far(tmp_path_factory: pytest.TempPathFactory, kept: Path) -> Iterator[Machines]:
    """Four machines and a pool on them."""
    if why := missing():
        pytest.skip(why)
    folder = tmp_path_factory.mktemp("partitions")
    known = folder / "known"
    known.touch()
    with pytest.MonkeyPatch.context() as patch, making(folder) as make:
        patch.setenv("XDG_CACHE_HOME", str(kept / "cache"))
        machines = [make(shared=(PYTHON,), setup=python_of(PYTHON), started=False) for _ in range(NODES)]
        for machine in machines[1:]:
            # A user has one key for all of them.
            machine.accept(machines[0].key)
        for machine in machines:
            machine.start()
        hosts = [f"root@{machine.address}" for machine in machines]

        def pool(hosts: Sequence[str]) -> sky.ComputePool:
            provider = sky.SSH(hosts, key=machines[0].key, known_hosts=known)
            return sky.ComputePool(provider=provider, name=f"apart{len(hosts)}", ttl=300.0, timeout=300)

        # One of them installs; the others have what it has.
        with pool(hosts[:1]):
            pass
        installed, *others = (f"/proc/{machine.pid}/root{HOME}/.skyward" for machine in machines)
        for other in others:
            shutil.copytree(installed, other, symlinks=True)
        with pool(hosts) as started:
            far = Machines(machines, started)
            started.on(sky.events.NodeLost, lambda event: far.lost.append(event.node))
            yield far


def fill(pool: sky.ComputePool, name: str) -> None:
    """Have something in each collection that keeps anything."""
    sky.dict(name, pool=pool).update({number: number for number in range(ENTRIES)})
    sky.set(f"{name}-members", pool=pool).update(range(ENTRIES))
    sky.queue(f"{name}-items", pool=pool).put_many(range(ENTRIES))
    for _ in range(ENTRIES):
        sky.counter(f"{name}-count", pool=pool).increment()


def left(pool: sky.ComputePool, name: str) -> tuple[int, int, int, int]:
    """How much of it is there."""
    return (
        len(dict(sky.dict(name, pool=pool).items())),
        len(sky.set(f"{name}-members", pool=pool).members()),
        len(sky.queue(f"{name}-items", pool=pool)),
        sky.counter(f"{name}-count", pool=pool).value,
    )


def survived(far: Machines, world: World, name: str, pids: list[int], began: float) -> None:
    """The nodes are those that there were, hear each other, and have all there was."""
    world.until(far.whole, "the nodes are one cluster again", within=WHOLE_WITHIN)
    world.until(lambda: time.monotonic() > began + JUDGED, "nobody is judged any more", within=JUDGED)
    assert node() @ far.pool == list(range(NODES))
    assert left(far.pool, name) == (ENTRIES,) * 4
    assert (far.lost, [view.pid for view in far.pool.nodes]) == ([], pids)


@pytest.mark.parametrize("one", [(0, 1), (0,)], ids=["2|2", "1|3"])
def test_nodes_that_are_cut_off_from_each_other_are_kept(far: Machines, world: World, one: tuple[int, ...]) -> None:
    name = f"apart{len(one)}"
    fill(far.pool, name)
    pids = [view.pid for view in far.pool.nodes]
    began = time.monotonic()
    far.split(one, [number for number in range(NODES) if number not in one])
    try:
        # The kernel reaches all of them meanwhile, and calls run everywhere.
        while time.monotonic() < began + APART:
            assert node() @ far.pool == list(range(NODES))
            time.sleep(0.5)
    finally:
        far.heal()
    survived(far, world, name, pids, began)


def test_a_machine_that_is_cut_off_for_some_seconds_keeps_its_node(far: Machines, world: World) -> None:
    """Nobody reaches it, not even the kernel."""
    fill(far.pool, "cut")
    pids = [view.pid for view in far.pool.nodes]
    began = time.monotonic()
    far.machines[0].link_down()
    try:
        world.until(lambda: time.monotonic() > began + CUT, "the time is over", within=2 * CUT)
    finally:
        far.machines[0].link_up()
    survived(far, world, "cut", pids, began)
