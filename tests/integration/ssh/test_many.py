"""Many machines at once, on one loop in one thread."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import AsyncIterator

import pytest

from skyward_jupyter.ssh.connection import Connection
from skyward_jupyter.ssh.hosts import parse
from tests.machines import MakeSshd


@contextlib.asynccontextmanager
async def echo() -> AsyncIterator[int]:
    """The port of a server that sends back a line."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(await reader.readline())
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0, backlog=200) as server:
        yield server.sockets[0].getsockname()[1]


async def told(machine: Connection, target: int, line: bytes) -> bytes:
    """What comes back through a tunnel."""
    port = await machine.forward("127.0.0.1", target)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(line)
    said = await reader.read()
    writer.close()
    return said


@pytest.mark.parametrize("count", [20, pytest.param(100, marks=pytest.mark.slow)])
async def test_connections_and_tunnels(sshd: MakeSshd, count: int) -> None:
    server = sshd(count)
    machines = [server.connection(number) for number in range(count)]
    async with echo() as target:
        before = set(threading.enumerate())
        began = time.monotonic()
        await asyncio.gather(*(machine.open() for machine in machines))
        lines = [b"%d\n" % number for number in range(count)]
        tunnelled = zip(machines, lines, strict=True)
        assert await asyncio.gather(*(told(machine, target, line) for machine, line in tunnelled)) == lines
        assert time.monotonic() - began < 60
        # Beside the loop's own, only the threads of asyncio that read files.
        assert all(thread.name.startswith("asyncio_") for thread in set(threading.enumerate()) - before)
        # A login shell may take its time with its own files: a few will do.
        done = await asyncio.gather(*(machine.run("echo $SSH_CONNECTION") for machine in machines[:10]))
        assert [one.stdout.split()[2] for one in done] == server.addresses[:10]
        began = time.monotonic()
        await asyncio.gather(*(machine.close() for machine in machines))
        assert time.monotonic() - began < 30


async def test_through_one_that_lets_in_few_at_once(sshd: MakeSshd) -> None:
    """An sshd drops who comes while many others have not logged in yet; all get in, one after another."""
    server, jump = sshd(12), sshd(config="MaxStartups 2:80:4\nLogLevel DEBUG1")
    (server.folder / "authorized_keys").write_bytes((jump.folder / "authorized_keys").read_bytes())
    machines = [
        Connection(parse(name, key=str(jump.key), jump=jump.name, config=server.folder / "config"), server.ledger())
        for name in server.names
    ]
    await asyncio.gather(*(machine.open(within=60) for machine in machines))
    assert {machine.state for machine in machines} == {"up"}
    assert "throttling" in jump.log
    await asyncio.gather(*(machine.close() for machine in machines))
