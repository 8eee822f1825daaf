"""What is broken while clients run: nodes and slots are killed or stopped, the kernel is too, and nodes are cut off.

What is stopped is so for a moment, for about as long as a call waits before it asks again, or for longer, up to what
takes a lock away. A partition drops the packets of connections between processes on both its sides, and whatever would
connect anew to any of them: of agents with each other, while the kernel keeps its connections, or of nodes with all
others and with the kernel. All of it is on this machine's loopback, in a table of nftables that goes with it.
"""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psutil

import skyward as sky
from skyward_jupyter.events import NodeLost
from skyward_jupyter.runtime.bridge import runtime
from tests.processes import line_of

#: Slots of a node.
SLOTS = 2
#: Seconds in which a pool knows of a node whose process has ended.
_KNOWN = 30.0

_TABLE = f"skyward_chaos_{os.getpid()}"
_NFT = shutil.which("nft") or shutil.which("nft", path="/usr/sbin:/sbin")


def may_part() -> bool:
    """Whether nodes can be cut off each other here."""
    if os.geteuid() != 0 or _NFT is None:
        return False
    return subprocess.run([_NFT, "list", "tables"], capture_output=True, check=False).returncode == 0


class Stuck(Exception):
    """Something that has to happen does not."""


class Breaking:
    """Breaks parts of a pool, one at a time, and mends them.

    Attributes
    ----------
    killed
        How many processes of users' code went.
    kinds
        How often what was broken.
    done
        What was broken, and when (on the machine's monotonic clock).
    """

    def __init__(
        self, pool: sky.ComputePool, rng: random.Random, *, longest: float = 3.0, kills: int = 4, stops: int = 3
    ) -> None:
        self._pool = pool
        self._rng = rng
        self._longest = longest
        self._kills = kills
        self._stops = stops
        self.killed = 0
        self.kinds = Counter[str]()
        self.done: list[str] = []
        self._lost: list[str] = []
        pool.on(NodeLost, lambda event: self._lost.append(event.why))

    def step(self, wait: Callable[[], None]) -> None:
        """Break one thing, mend it, and wait until all is well again."""
        kinds: dict[Callable[[], str], int] = {
            self._kill: self._kills,
            self._kill_two: 1,
            self._kill_slot: 2,
            self._stop: self._stops,
            self._stop_two: 1,
            self._stop_slot: 1,
            self._stop_kernel: 2,
            self._stand_still: 2,
        }
        if may_part():
            kinds |= {self._part: 2, self._isolate: 1}
        began, before, killed = time.monotonic(), self._agents(), self.kinds["nodes killed"]
        what = self._rng.choices(list(kinds), list(kinds.values()))[0]()
        wait()
        after = self._agents()
        gone = [rank for rank, pid in before.items() if after.get(rank) != pid]
        if gone and self.kinds["nodes killed"] == killed:
            self.killed += SLOTS * len(gone)
            self.kinds["nodes replaced"] += len(gone)
            what = f"{what}; nodes {gone} were replaced ({'; '.join(self._lost)})"
        self._lost.clear()
        self.done.append(f"{began:.2f}-{time.monotonic():.2f} {what}")

    def _agents(self) -> dict[int, int]:
        return {view.rank: view.pid for view in self._pool.nodes if view.pid}

    def _some(self, count: int = 1) -> dict[int, int]:
        return dict(self._rng.sample(sorted(self._agents().items()), count))

    def _slots(self) -> list[psutil.Process]:
        return [process for process in psutil.process_iter() if f"skyward: slot {self._pool.name}/" in line_of(process)]

    def _kill(self) -> str:
        ((rank, pid),) = self._some().items()
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        _until(lambda: self._agents().get(rank) != pid, f"the pool knows that node {rank} is lost")
        self.kinds["nodes killed"] += 1
        self.killed += SLOTS
        return f"node {rank} was killed"

    def _kill_two(self) -> str:
        """A node, and another some seconds later, while copies of what the first one kept may be on their way."""
        first = self._kill()
        time.sleep(self._rng.uniform(0.5, 4.0))
        return f"{first}, then {self._kill()}"

    def _kill_slot(self) -> str:
        slots = self._slots()
        if slots:
            self.killed += 1
            with contextlib.suppress(psutil.Error):
                self._rng.choice(slots).kill()
        self.kinds["slots killed"] += 1
        return "a slot was killed"

    def _stop(self, count: int = 1) -> str:
        some, seconds = self._some(count), self._seconds()
        with contextlib.ExitStack() as stack:
            for pid in some.values():
                stack.enter_context(_stopped(pid))
            time.sleep(seconds)
        self.kinds["nodes stopped"] += count
        return f"nodes {sorted(some)} were stopped for {seconds:.1f} s"

    def _stop_two(self) -> str:
        return self._stop(2)

    def _stop_slot(self) -> str:
        slots, seconds = self._slots(), self._seconds()
        if slots:
            with _stopped(self._rng.choice(slots).pid):
                time.sleep(seconds)
        self.kinds["slots stopped"] += 1
        return f"a slot was stopped for {seconds:.1f} s"

    def _stop_kernel(self) -> str:
        seconds = self._seconds()
        subprocess.run(["sh", "-c", f"kill -STOP {os.getpid()}; sleep {seconds}; kill -CONT {os.getpid()}"], check=True)
        self.kinds["kernel stopped"] += 1
        return f"the kernel was stopped for {seconds:.1f} s"

    def _stand_still(self) -> str:
        seconds = self._seconds()
        runtime().loop.call_soon_threadsafe(time.sleep, seconds)
        time.sleep(seconds)
        self.kinds["kernel stopped"] += 1
        return f"the kernel's loop stood still for {seconds:.1f} s"

    def _seconds(self) -> float:
        """How long something lasts: little, about as long as a call waits before it asks again, long, or longest."""
        ranges = [(0.2, 1.0), (1.9, 2.6), (2.2, self._longest), (0.9 * self._longest, self._longest)]
        return self._rng.uniform(*self._rng.choices(ranges, [1, 1, 1, 2])[0])

    def _part(self) -> str:
        agents = self._agents()
        cut = self._some(self._rng.randint(1, len(agents) // 2))
        return self._parted(cut, set(agents.values()), "the other nodes")

    def _isolate(self) -> str:
        return self._parted(self._some(), {*self._agents().values(), os.getpid()}, "everything")

    def _parted(self, cut: dict[int, int], pids: set[int], from_what: str) -> str:
        seconds = self._seconds()
        with parted(set(cut.values()), pids - set(cut.values())):
            time.sleep(seconds)
        self.kinds["partitions"] += 1
        return f"nodes {sorted(cut)} were cut off from {from_what} for {seconds:.1f} s"


def _until(condition: Callable[[], bool], what: str) -> None:
    until = time.monotonic() + _KNOWN
    while not condition():
        if time.monotonic() > until:
            raise Stuck(f"not within {_KNOWN:g} s: {what}")
        time.sleep(0.02)


@contextmanager
def _stopped(pid: int) -> Iterator[None]:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)


@contextmanager
def parted(one: set[int], other: set[int]) -> Iterator[None]:
    """Let nothing pass between the processes on both sides while the block lasts."""
    assert _NFT is not None
    ends: dict[tuple[_End, _End | None], int] = {end: pid for pid in one | other for end in _ends(pid)}
    flows = []
    for (near, far), pid in ends.items():
        peer = ends.get((far, near)) if far is not None else None
        if far is not None and peer is not None and (peer in one) != (pid in one):
            flows.append(f"{near[0]} . {near[1]} . {far[0]} . {far[1]}")
    doors = [f"{near[0]} . {near[1]}" for near, far in ends if far is None]
    rules = f"""
        table ip {_TABLE} {{
            chain out {{
                type filter hook output priority 0; policy accept;
                {_dropped("ip saddr . tcp sport . ip daddr . tcp dport", flows)}
                {_dropped("tcp flags & (syn | ack) == syn ip daddr . tcp dport", doors)}
            }}
        }}"""
    subprocess.run([_NFT, "-f", "-"], input=rules, text=True, check=True, capture_output=True)
    try:
        yield
    finally:
        subprocess.run([_NFT, "delete", "table", "ip", _TABLE], check=True, capture_output=True)


def _dropped(match: str, elements: list[str]) -> str:
    return f"{match} {{ {', '.join(sorted(set(elements)))} }} drop" if elements else ""


type _End = tuple[str, int]


def _ends(pid: int) -> Iterator[tuple[_End, _End | None]]:
    """The ends of the connections of a process; of a door that it listens at, there is no other."""
    with contextlib.suppress(psutil.Error):
        for found in psutil.Process(pid).net_connections("tcp4"):
            far: tuple[Any, ...] = tuple(found.raddr)
            yield (found.laddr.ip, found.laddr.port), (str(far[0]), int(far[1])) if far else None
