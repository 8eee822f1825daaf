"""Connections of this project: all of them on one event loop in one thread."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Awaitable
from pathlib import Path
from time import perf_counter

from benchmarks.ssh import stream
from benchmarks.ssh.rows import Connections
from benchmarks.ssh.servers import Servers
from benchmarks.ssh.tunnel import PACKET, use
from benchmarks.ssh.weight import longest, loop_stall, memory, threads
from skyward_jupyter.ssh.connection import Connection
from skyward_jupyter.ssh.hosts import parse
from skyward_jupyter.ssh.known import Ledger


def measure(servers: Servers, row: Connections) -> None:
    """Connect to all, have a tunnel to each, hear a command on each."""
    asyncio.run(_measure(servers, row))


async def _measure(servers: Servers, row: Connections) -> None:
    with tempfile.TemporaryDirectory() as folder:
        ledger = Ledger(Path(folder) / "known_hosts")
        machines = [_machine(servers, name, ledger) for name in servers.names]
        before, used = memory(), time.process_time()
        async with loop_stall() as stall:
            row.connected = await _took(asyncio.gather(*(machine.open() for machine in machines)))
            ports: list[int] = []
            row.tunnelled = await _took(_tunnelled(machines, servers.echo, ports))
        async with loop_stall() as stream_stall:
            row.streamed = await _took(asyncio.gather(*map(_streamed, machines)))
        row.processor, row.memory, row.threads = time.process_time() - used, memory() - before, threads()
        row.stall, row.stream_stall = stall.seconds, stream_stall.seconds
        row.own = longest(stall, stream_stall)
        # Whoever uses a tunnel is another thread, as the client of the pool's cluster is.
        await asyncio.to_thread(use, ports[0], row)
        await asyncio.gather(*(machine.close() for machine in machines))


def _machine(servers: Servers, name: str, ledger: Ledger) -> Connection:
    return Connection(parse(name, key=servers.key, host_key=servers.host_key, config=servers.config), ledger)


async def _took(work: Awaitable[object]) -> float:
    began = perf_counter()
    await work
    return perf_counter() - began


async def _tunnelled(machines: list[Connection], echo: int, ports: list[int]) -> None:
    ports += await asyncio.gather(*(_through(machine, echo) for machine in machines))


async def _through(machine: Connection, echo: int) -> int:
    port = await machine.forward("127.0.0.1", echo)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(PACKET)
    await reader.readexactly(len(PACKET))
    writer.close()
    return port


async def _streamed(machine: Connection) -> None:
    lines: list[str] = []
    await machine.run(stream.COMMAND, on_line=lambda _, text: lines.append(text))
    stream.check(lines)
