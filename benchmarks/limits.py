"""What nobody can beat: the transport alone, one copy in memory, an import.

Run as a module with an address, this is the other process of the transport's measurement.
"""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
from dataclasses import dataclass
from datetime import timedelta
from statistics import median
from time import perf_counter

import casty

from benchmarks.measure import p50
from benchmarks.work import SIZE, arrays

CLUSTER = "skyward-benchmark"
IMPORT = "from time import perf_counter as now; began = now(); {statement}; print(now() - began)"


@dataclass(frozen=True)
class Ask(casty.Askable[bytes]):
    """Answered with what it carries."""

    data: bytes


@casty.actor(pinned=True, initial=0, ask_timeout=timedelta(seconds=30))
async def answerer(context: casty.Context[int, Ask]) -> None:
    """Answer each `Ask`."""
    async for message in context.inbox:
        message.reply_to.tell(message.data)


async def _serve(address: str) -> None:
    cluster = casty.Cluster(bind=address, name=CLUSTER)
    async with casty.ActorSystem(cluster=cluster, runtime=casty.Runtime(threads=1)):
        print("ready", flush=True)
        await asyncio.to_thread(sys.stdin.read)  # until the other side closes it


async def _asks(address: str, count: int) -> tuple[float, float]:
    """Return the median seconds of `count` asks one by one, and how many a second go through at once."""
    async with casty.Client(seeds=(address,), name=CLUSTER, runtime=casty.Runtime(threads=1)) as client:
        remote = client.ref(answerer, "one", at=address)
        message = Ask(bytes(200))
        await remote.ask(message)
        taken = []
        for _ in range(count):
            began = perf_counter()
            await remote.ask(message)
            taken.append(perf_counter() - began)
        began = perf_counter()
        await asyncio.gather(*[remote.ask(message) for _ in range(5000)])
        return median(taken), 5000 / (perf_counter() - began)


def casty_asks(count: int = 1000) -> tuple[float, float]:
    """Measure bare asks to another process: median seconds of one, and asks a second when gathered."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    with subprocess.Popen(
        [sys.executable, "-m", "benchmarks.limits", address], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        try:
            if other.stdout.readline().strip() != "ready":
                raise RuntimeError("the process to ask did not start")
            return asyncio.run(_asks(address, count))
        finally:
            assert other.stdin is not None
            other.stdin.close()


def memory_copy() -> float:
    """Return the MB/s of one copy of an array into fresh memory."""
    array = next(arrays())
    return SIZE / 1e6 / p50(lambda: array.copy(), 7)


def import_seconds(statement: str) -> float:
    """Return the seconds that an import statement takes in a fresh process."""
    code = IMPORT.format(statement=statement)
    return float(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout)


if __name__ == "__main__":
    asyncio.run(_serve(sys.argv[1]))
