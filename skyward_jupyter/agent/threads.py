"""How many threads the numerical libraries of a slot use: its share of the cores of its machine.

Each of them takes all cores for itself unless it is told otherwise, so eight nodes on two cores would have sixteen
threads that wait for each other. Libraries that are not loaded yet read their share from the environment. Those that
are, as when the pool has more nodes now, are told, unless the user's code has told them something else meanwhile.
Whoever sets ``OMP_NUM_THREADS`` decides for all of them, and any variable of one library counts for that library.
"""

from __future__ import annotations

import math
import os
import sys
from contextlib import suppress
from pathlib import Path

from skyward_jupyter.agent.config import AgentConfig, Peer

#: What the others go by as well, and the variables of OpenBLAS, MKL, BLIS, Accelerate, numexpr, Polars, Rayon,
#: TensorFlow and joblib.
DECIDING = "OMP_NUM_THREADS"
VARIABLES = (
    DECIDING,
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "BLIS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "POLARS_MAX_THREADS",
    "RAYON_NUM_THREADS",
    "TF_NUM_INTRAOP_THREADS",
    "LOKY_MAX_CPU_COUNT",
)
#: Modules that bring libraries with threads of their own.
_LOADING = ("numpy", "scipy", "torch", "numexpr", "mkl")

_MINE, _GROUPS = Path("/proc/self/cgroup"), Path("/sys/fs/cgroup")
#: What libraries were told last; 0 for nothing, which is all that the system lets them have.
_told = 0
#: What libraries were told that were imported before this process was forked; None for nothing.
_born_with: int | None = None


def divide(config: AgentConfig, peers: tuple[Peer, ...]) -> None:
    """Give the libraries of this process its share, now that the pool has these nodes."""
    have(share(config, peers))


def share(config: AgentConfig, peers: tuple[Peer, ...]) -> int:
    """Return how many threads the libraries of one process use, when the pool has these nodes."""
    return max(1, cores() // processes(config, peers))


def have(share: int) -> None:
    """Give the libraries of this process so many threads."""
    global _told, _born_with
    now = share if share < _allowed() else 0
    before, _told = _told, now
    knew, _born_with = _born_with, None
    if now == before or not _say(before, now):
        return
    if now != knew and any(name in sys.modules for name in _LOADING):
        _tell(before or _allowed(), now or _allowed())


def be_born() -> None:
    """In a slot whose libraries were imported before it was forked: its environment is yet to say what they know."""
    global _told, _born_with
    _born_with, _told = _told, 0


def processes(config: AgentConfig, peers: tuple[Peer, ...]) -> int:
    """How many processes of the pool may compute at a time on the machine of this node."""
    if config.renewed:
        host = config.address.rpartition(":")[0]
        nodes = sum(peer.address.rpartition(":")[0] == host for peer in peers)
    else:
        nodes = len(peers)
    return max(1, nodes) * (config.concurrency if config.executor == "process" else 1)


def cores() -> int:
    """How many cores this process may keep busy: those it may run on, or what its control groups grant, if less."""
    return max(1, math.ceil(min(_allowed(), _granted())))


def _allowed() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _granted() -> float:
    """The least that a control group of this process, or one around it, grants: cores, in both versions of them."""
    least = math.inf
    with suppress(OSError):
        for line in _MINE.read_text().splitlines():
            _, kinds, path = line.split(":", 2)
            if kinds and "cpu" not in kinds.split(","):
                continue
            base = _GROUPS / "cpu" if kinds else _GROUPS
            group = base / path.lstrip("/")
            for folder in (group, *group.parents):
                if folder.is_relative_to(base):
                    least = min(least, _quota(folder))
    return least


def _quota(group: Path) -> float:
    with suppress(OSError, ValueError, ZeroDivisionError):
        if (file := group / "cpu.max").exists():
            quota, period = file.read_text().split()
        else:
            quota = (group / "cpu.cfs_quota_us").read_text()
            period = (group / "cpu.cfs_period_us").read_text()
        if int(quota) > 0:
            return int(quota) / int(period)
    return math.inf


def _say(before: int, now: int) -> bool:
    """Say it in the environment, where it says nothing but what was said here before; False when users decide."""
    ours = str(before) if before else None
    if os.environ.get(DECIDING) != ours:
        return False
    for name in VARIABLES:
        if os.environ.get(name) != ours:
            continue
        if now:
            os.environ[name] = str(now)
        else:
            del os.environ[name]
    return True


def _tell(before: int, now: int) -> None:
    """Tell the libraries that are loaded and use as many threads as they were told before, or as they like."""
    from threadpoolctl import ThreadpoolController

    for library in ThreadpoolController().lib_controllers:
        if library.num_threads == before:
            library.set_num_threads(now)
    torch, numexpr = sys.modules.get("torch"), sys.modules.get("numexpr")
    if torch is not None and torch.get_num_threads() == before:
        torch.set_num_threads(now)
    if numexpr is not None and numexpr.get_num_threads() == before:
        numexpr.set_num_threads(now)
