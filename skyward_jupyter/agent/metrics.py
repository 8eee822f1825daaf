"""What a node's processes use: the agent, its slots, and everything they started."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator

import psutil

_MIB = 2.0**20


class Meter:
    """Measures the processes of one agent."""

    def __init__(self, agent: int) -> None:
        self._agent = agent
        self._processes: dict[int, psutil.Process] = {}
        self._spent: dict[int, float] = {}
        self._at = time.monotonic()

    def read(self, slots: Iterable[int]) -> tuple[float, float]:
        """CPU in percent of one core since the last reading, and resident memory in MiB."""
        spent: dict[int, float] = {}
        memory = 0.0
        for process in self._all({self._agent, *slots}):
            try:
                with process.oneshot():
                    times = process.cpu_times()
                    memory += process.memory_info().rss / _MIB
            except psutil.Error:
                continue
            spent[process.pid] = times.user + times.system
        now = time.monotonic()
        elapsed, self._at = max(now - self._at, 1e-3), now
        used = sum(total - self._spent.get(pid, total) for pid, total in spent.items())
        self._spent = spent
        return 100.0 * max(used, 0.0) / elapsed, memory

    def _all(self, pids: set[int]) -> Iterator[psutil.Process]:
        for pid in set(self._processes) - pids:
            del self._processes[pid]
        for pid in pids:
            try:
                process = self._processes.setdefault(pid, psutil.Process(pid))
                yield process
                if pid != self._agent:
                    yield from process.children(recursive=True)
            except psutil.Error:
                self._processes.pop(pid, None)
