"""A run: clients use all six collections while their pool is broken again and again; what they saw is checked.

The history of a run that fails is kept, with what was broken and when; `python -m tests.chaos FILE` checks it again.
"""

from __future__ import annotations

import random
import tempfile
import threading
import time
from collections import Counter
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path

import skyward as sky
from skyward_jupyter.collections.address import Consistency
from tests.chaos.breaking import SLOTS, Breaking, Stuck
from tests.chaos.checks import problems
from tests.chaos.clients import Client, on_a_node
from tests.chaos.history import Op, gathered, save

#: Nodes; clients of everything there, and of locks alone; and clients of everything in the kernel's process.
NODES, ON_NODES, LOCKS, HERE = 4, 4, 4, 3
#: Seconds in which all must be well again after something was broken, and in which clients must have stopped.
WELL, OVER = 90.0, 90.0
#: Seconds from the time when all is well again until the next thing is broken: a new node gets its copies meanwhile.
APART = 2.0
#: Where histories are kept that are not as they should be.
KEPT = Path("build/chaos")


@dataclass(frozen=True, slots=True)
class Report:
    """How a run went."""

    operations: int
    maybe: int
    broken: tuple[str, ...]
    kinds: Counter[str]
    wrong: tuple[str, ...]
    file: Path | None

    def __str__(self) -> str:
        head = f"{self.operations:,} operations, {self.maybe:,} of them maybe; {counted(self.kinds)}"
        head = "; ".join([head, *(what for what in self.broken if " were replaced (" in what)])
        if self.file is None:
            return f"{head}; nothing is wrong"
        again = f"check it again with: python -m tests.chaos {self.file}"
        return "\n".join([f"{head}; {len(self.wrong)} things are wrong ({again})", *self.wrong[:20]])


def counted(kinds: Counter[str]) -> str:
    """How often what was broken."""
    return ", ".join(f"{kind} {count}" for kind, count in sorted(kinds.items())) or "nothing was broken"


def run(
    seconds: float,
    seed: int,
    name: str,
    *,
    longest: float = 3.0,
    kills: int = 4,
    stops: int = 3,
    consistency: Consistency = "strong",
) -> Report:
    """Break a pool for so many seconds, and check what its clients saw.

    Parameters
    ----------
    longest
        Seconds that a node is stopped or cut off at most.
    kills, stops
        How often nodes are killed, and how often they are stopped: everything else together comes 12 times.
    consistency
        That of the collections; eventual ones are not as the checks have them.
    """
    stuck: list[str] = []
    with tempfile.TemporaryDirectory(prefix="skyward-chaos-") as directory:
        with sky.ComputePool(nodes=NODES, name=name, worker=sky.Worker(concurrency=SLOTS)) as pool:
            crowd = Crowd(pool, directory, consistency)
            breaking = Breaking(pool, random.Random(seed), longest=longest, kills=kills, stops=stops)
            until = time.monotonic() + seconds
            try:
                while time.monotonic() < until:
                    breaking.step(lambda: crowd.well(WELL))
                    time.sleep(APART)
            except Stuck as error:
                stuck.append(str(error))
            finally:
                crowd.end()
            try:
                crowd.over()
            except Stuck as error:
                stuck.append(str(error))
        history = gathered(Path(directory))
    return judged(history, breaking, f"{name}-{seed}", stuck)


def judged(history: list[Op], breaking: Breaking, name: str, stuck: list[str]) -> Report:
    """Check a history, and keep it when something is wrong."""
    wrong = [*stuck, *problems(history, breaking.killed)]
    file = None
    if wrong:
        file = save(history, KEPT / f"{name}.jsonl")
        broken = "\n".join([f"killed {breaking.killed}", *breaking.done, "", *wrong])
        file.with_suffix(".txt").write_text(f"{broken}\n")
    maybe = sum(op.maybe for op in history)
    return Report(len(history), maybe, tuple(breaking.done), breaking.kinds, tuple(wrong), file)


class Crowd:
    """The clients of a pool. One whose process was killed is followed by another."""

    def __init__(self, pool: sky.ComputePool, directory: str, consistency: Consistency = "strong") -> None:
        self._pool = pool
        self._consistency = consistency
        self._directory = directory
        self._made = 0
        self._began = time.monotonic()
        self._running: dict[Future[int], bool] = {}
        self._threads = [
            threading.Thread(
                target=Client(directory, f"kernel{number}", pool, consistency).run, name=f"client-{number}"
            )
            for number in range(HERE)
        ]
        for thread in self._threads:
            thread.start()
        self._fill()

    def well(self, within: float) -> None:
        """Wait until every node is ready, and all clients run."""
        until = time.monotonic() + within
        while not self._is_well():
            if time.monotonic() > until:
                raise Stuck(f"after {within:g} s the pool is not whole: {self._pool.nodes}")
            self._fill()
            time.sleep(0.05)
        self._fill()

    def end(self) -> None:
        """Have all clients stop."""
        Path(self._directory, "over").touch()

    def over(self) -> None:
        """Wait until all have stopped, look at what was written long ago, and take what is left in the queues."""
        for thread in self._threads:
            thread.join(OVER)
            if thread.is_alive():
                raise Stuck(f"{thread.name} still waits for an operation after {OVER:g} s")
        for future in self._running:
            try:
                future.result(OVER)
            except (sky.NodeLost, sky.SlotDied):
                continue
            except TimeoutError:
                raise Stuck(f"a client on a node still waits for an operation after {OVER:g} s") from None
        Client(self._directory, "last", self._pool, self._consistency).finish(self._began)

    def _is_well(self) -> bool:
        nodes = self._pool.nodes
        return len(nodes) == NODES and all(view.phase == "ready" for view in nodes)

    def _fill(self) -> None:
        self._running = {future: locks for future, locks in self._running.items() if not future.done()}
        for locks, count in (False, ON_NODES), (True, LOCKS):
            for _ in range(count - sum(one == locks for one in self._running.values())):
                self._made += 1
                client = on_a_node(self._directory, f"node{self._made}", locks, self._consistency)
                self._running[client > self._pool] = locks
