"""A cell that runs on 8 nodes, in a real kernel: how much longer its reply takes than an empty cell's."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import KernelManager

from benchmarks.measure import p50


@dataclass(frozen=True)
class Cells:
    """What a notebook types, for one system: to get ready, to run `1` on 8 nodes, to end."""

    ready: tuple[str, ...]
    run: str
    end: str


ENGINES = """
import ipyparallel, logging
cluster = ipyparallel.Cluster(n=8, log_level=logging.ERROR)
client = cluster.start_and_connect_sync(activate=True)
"""

CELLS = {
    "Skyward": Cells(("%load_ext skyward", "%%sky --nodes 8\n1"), "%%sky\n1", "%sky stop"),
    "ipyparallel": Cells((ENGINES, "%%px\n1"), "%%px\n1", "client.close(); cluster.stop_cluster_sync()"),
}
EMPTY = "pass"


@contextmanager
def kernel() -> Iterator[BlockingKernelClient]:
    """Run a fresh kernel of this Python and end it."""
    manager = KernelManager(kernel_spec_manager=KernelSpecManager(kernel_dirs=[]))
    path = os.pathsep.join(part for part in sys.path if part)
    manager.start_kernel(extra_arguments=["--log-level=ERROR"], env={**os.environ, "PYTHONPATH": path})
    client = manager.client()
    client.start_channels()
    try:
        client.wait_for_ready(timeout=60)
        yield client
    finally:
        client.stop_channels()
        manager.shutdown_kernel()


def run(client: BlockingKernelClient, code: str) -> None:
    """Run a cell and return with its reply; what it shows is not waited for.

    Raises
    ------
    RuntimeError
        The cell failed.
    """
    reply: Any = client.execute(code, reply=True, timeout=120)
    if reply["content"]["status"] != "ok":
        raise RuntimeError(f"{code!r}: {reply['content'].get('evalue')}")


def added(system: str, times: int = 30) -> tuple[float, float]:
    """Return the seconds that a cell on 8 nodes adds to an empty cell, and the seconds of the empty one."""
    cells = CELLS[system]
    with kernel() as client:
        for code in cells.ready:
            run(client, code)
        try:
            empty = p50(lambda: run(client, EMPTY), times, warm=5)
            full = p50(lambda: run(client, cells.run), times, warm=5)
        finally:
            run(client, cells.end)
    return full - empty, empty
