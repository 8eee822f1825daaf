"""What is broken while clients run: nodes and slots are killed or stopped, the kernel's loop too, and nodes cut off.

A partition drops the packets of connections between the agents on both its sides, and whatever would connect anew to
any of them; the kernel keeps its connections. All of it is on this machine's loopback, in a table of nftables that goes
with the partition.
"""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psutil

import skyward as sky
from skyward_jupyter.runtime.bridge import runtime
from tests.processes import line_of

_TABLE = f"skyward_chaos_{os.getpid()}"
_NFT = shutil.which("nft") or shutil.which("nft", path="/usr/sbin:/sbin")


def may_part() -> bool:
    """Whether nodes can be cut off each other here."""
    if os.geteuid() != 0 or _NFT is None:
        return False
    return subprocess.run([_NFT, "list", "tables"], capture_output=True, check=False).returncode == 0


class Breaking:
    """Breaks parts of a pool, one at a time, and mends them.

    Attributes
    ----------
    killed
        How many processes of users' code went.
    done
        What was broken, and when (on the machine's monotonic clock).
    """

    def __init__(self, pool: sky.ComputePool, rng: random.Random, *, longest: float = 3.0) -> None:
        self._pool = pool
        self._rng = rng
        self._longest = longest
        self.killed = 0
        self.done: list[str] = []

    def step(self, wait: Callable[[], None]) -> None:
        """Break one thing, mend it, and wait until all is well again."""
        kinds = [self._kill, self._kill_slot, self._stop, self._stop_slot, self._stop, self._stand_still]
        if may_part():
            kinds.append(self._part)
        kind = self._rng.choice(kinds)
        began = time.monotonic()
        what = kind()
        wait()
        self.done.append(f"{began:.2f}-{time.monotonic():.2f} {what}")

    def _agents(self) -> dict[int, int]:
        return {view.rank: view.pid for view in self._pool.nodes if view.pid}

    def _slots(self) -> list[psutil.Process]:
        return [process for process in psutil.process_iter() if f"skyward: slot {self._pool.name}/" in line_of(process)]

    def _kill(self) -> str:
        rank, pid = self._rng.choice(sorted(self._agents().items()))
        self.killed += sum(f"slot {self._pool.name}/{rank}." in line_of(slot) for slot in self._slots())
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        return f"node {rank} was killed"

    def _kill_slot(self) -> str:
        slots = self._slots()
        if slots:
            self.killed += 1
            with contextlib.suppress(psutil.Error):
                self._rng.choice(slots).kill()
        return "a slot was killed"

    def _stop(self) -> str:
        rank, pid = self._rng.choice(sorted(self._agents().items()))
        seconds = self._seconds()
        with _stopped(pid):
            time.sleep(seconds)
        return f"node {rank} was stopped for {seconds:.1f} s"

    def _stop_slot(self) -> str:
        slots, seconds = self._slots(), self._seconds()
        if slots:
            with _stopped(self._rng.choice(slots).pid):
                time.sleep(seconds)
        return f"a slot was stopped for {seconds:.1f} s"

    def _stand_still(self) -> str:
        seconds = self._seconds()
        runtime().loop.call_soon_threadsafe(time.sleep, seconds)
        time.sleep(seconds)
        return f"the kernel's loop stood still for {seconds:.1f} s"

    def _seconds(self) -> float:
        """How long something lasts: little, or longer than a call waits before it asks again."""
        return self._rng.choice([self._rng.uniform(0.2, 1.0), self._rng.uniform(2.2, self._longest)])

    def _part(self) -> str:
        agents = self._agents()
        ranks = sorted(agents)
        cut = set(self._rng.sample(ranks, self._rng.randint(1, len(ranks) // 2)))
        seconds = self._seconds()
        with parted({agents[rank] for rank in cut}, {agents[rank] for rank in ranks if rank not in cut}):
            time.sleep(seconds)
        return f"nodes {sorted(cut)} were cut off for {seconds:.1f} s"


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
