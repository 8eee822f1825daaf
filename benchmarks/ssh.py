"""``python -m benchmarks.ssh --nodes 10 30 100``: connections and tunnels to many machines at once.

Ours, on one event loop in one thread, beside a thread for each connection with Paramiko. Each measurement is a process
of its own; the machines are addresses of an OpenSSH server here, which shares the processors with what is measured.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import importlib.util
import json
import socket
import socketserver
import subprocess
import sys
import tempfile
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from time import perf_counter

import psutil

MIB = 1024 * 1024
_PACKET = b"x" * 200
_BULK = 64 * MIB
_TICK = 0.005


@dataclass(frozen=True)
class Servers:
    """Where to log in, with what, and where an echo answers there."""

    addresses: list[str]
    port: int
    user: str
    key: str
    host_key: str
    config: str
    echo: int


@dataclass
class Row:
    """What was measured of one way to have connections.

    Attributes
    ----------
    connected, tunnelled
        Until all were logged in to, and then until something had come back through a tunnel to each (seconds).
    stall
        The longest time in which the loop, or another thread, did not get to run meanwhile (seconds).
    memory
        What all that added (MiB).
    threads
        How many there were with all of them connected.
    round_trip
        Of 200 bytes through a tunnel, the median (seconds).
    rate
        MiB a second through one tunnel, both directions together.
    """

    system: str
    nodes: int
    connected: float = 0.0
    tunnelled: float = 0.0
    stall: float = 0.0
    memory: float = 0.0
    threads: int = 0
    round_trip: float = 0.0
    rate: float = 0.0


async def ours(servers: Servers, row: Row) -> None:
    """Measure connections of this project."""
    from skyward_jupyter.ssh.connection import Connection
    from skyward_jupyter.ssh.hosts import parse
    from skyward_jupyter.ssh.known import Ledger

    async def tunnelled(machine: Connection) -> int:
        port = await machine.forward("127.0.0.1", servers.echo)
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(_PACKET)
        await reader.readexactly(len(_PACKET))
        writer.close()
        return port

    with tempfile.TemporaryDirectory() as folder:
        machines = [
            Connection(
                parse(
                    f"{servers.user}@{address}:{servers.port}",
                    key=servers.key,
                    host_key=servers.host_key,
                    config=servers.config,
                ),
                Ledger(Path(folder) / "known_hosts"),
            )
            for address in servers.addresses
        ]
        before = psutil.Process().memory_info().rss
        async with _stalls(row):
            row.connected = await _took(asyncio.gather(*(machine.open() for machine in machines)))
            began = perf_counter()
            ports = await asyncio.gather(*map(tunnelled, machines))
            row.tunnelled = perf_counter() - began
        _weigh(row, before)
        # Whoever uses a tunnel is another thread, as the client of the pool's cluster is.
        await asyncio.to_thread(_use, ports[0], row)
        await asyncio.gather(*(machine.close() for machine in machines))


async def _took(work: Awaitable[object]) -> float:
    began = perf_counter()
    await work
    return perf_counter() - began


@contextlib.asynccontextmanager
async def _stalls(row: Row) -> AsyncIterator[None]:
    """Note the longest time in which the loop did nothing else."""

    async def tick() -> None:
        while True:
            began = perf_counter()
            await asyncio.sleep(_TICK)
            row.stall = max(row.stall, perf_counter() - began - _TICK)

    task = asyncio.create_task(tick())
    try:
        yield
    finally:
        task.cancel()


def paramiko(servers: Servers, row: Row) -> None:
    """Measure a thread for each connection."""
    import paramiko

    def connected(address: str) -> paramiko.SSHClient:
        client = paramiko.SSHClient()
        kind, key = servers.host_key.split()
        entry = paramiko.hostkeys.HostKeyEntry.from_line(f"[{address}]:{servers.port} {kind} {key}")
        client.get_host_keys().add(f"[{address}]:{servers.port}", kind, entry.key)
        client.connect(
            address,
            servers.port,
            servers.user,
            key_filename=servers.key,
            allow_agent=False,
            look_for_keys=False,
            banner_timeout=120,
            auth_timeout=120,
        )
        client.get_transport().set_keepalive(5)
        return client

    def tunnelled(client: paramiko.SSHClient) -> int:
        port = _forwarded(client.get_transport(), servers.echo)
        with socket.create_connection(("127.0.0.1", port)) as sock:
            sock.sendall(_PACKET)
            _read(sock, len(_PACKET))
        return port

    before = psutil.Process().memory_info().rss
    with ThreadPoolExecutor(len(servers.addresses)) as threads, _stalled_threads(row):
        began = perf_counter()
        clients = list(threads.map(connected, servers.addresses))
        row.connected = perf_counter() - began
        began = perf_counter()
        ports = list(threads.map(tunnelled, clients))
        row.tunnelled = perf_counter() - began
    _weigh(row, before)
    _use(ports[0], row)
    for client in clients:
        client.close()


def _forwarded(transport: object, port: int) -> int:
    """A port here that leads there, with a thread for each connection and direction, as Paramiko's own example has."""

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            self.request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            channel = transport.open_channel("direct-tcpip", ("127.0.0.1", port), self.request.getpeername())  # type: ignore[attr-defined]
            back = threading.Thread(target=_carry, args=(channel, self.request), daemon=True)
            back.start()
            _carry(self.request, channel)
            back.join()
            channel.close()

    server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return int(server.server_address[1])


def _carry(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError, EOFError):
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)


@contextlib.contextmanager
def _stalled_threads(row: Row) -> Iterator[None]:
    """Note the longest time in which another thread did not get to run."""
    over = threading.Event()

    def tick() -> None:
        while True:
            began = perf_counter()
            if over.wait(_TICK):
                return
            row.stall = max(row.stall, perf_counter() - began - _TICK)

    thread = threading.Thread(target=tick, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _weigh(row: Row, before: int) -> None:
    row.memory = (psutil.Process().memory_info().rss - before) / MIB
    row.threads = threading.active_count()


def _use(port: int, row: Row) -> None:
    """Send small and large things through one tunnel."""
    with socket.create_connection(("127.0.0.1", port)) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

        def once() -> float:
            began = perf_counter()
            sock.sendall(_PACKET)
            _read(sock, len(_PACKET))
            return perf_counter() - began

        row.round_trip = median(once() for _ in range(500))
        began = perf_counter()
        sender = threading.Thread(target=sock.sendall, args=(bytes(_BULK),))
        sender.start()
        _read(sock, _BULK)
        sender.join()
        # Each byte went both ways.
        row.rate = 2 * _BULK / MIB / (perf_counter() - began)


def _read(sock: socket.socket, size: int) -> None:
    while size:
        data = sock.recv(min(size, MIB))
        assert data, "the tunnel closed"
        size -= len(data)


@contextlib.contextmanager
def serving(nodes: int) -> Iterator[Servers]:
    """Run the machines, and an echo beside them."""
    from tests.machines import Sshd

    echo = subprocess.Popen([sys.executable, "-m", "benchmarks.ssh", "--echo"], stdout=subprocess.PIPE, text=True)
    with tempfile.TemporaryDirectory() as folder, echo:
        server = Sshd(Path(folder), nodes, config="LogLevel ERROR")
        try:
            assert echo.stdout is not None
            yield Servers(
                server.addresses,
                server.port,
                server.user,
                str(server.key),
                server.host_key,
                str(server.folder / "config"),
                int(echo.stdout.readline()),
            )
        finally:
            server.stop()
            echo.kill()


async def echo() -> None:
    """Send back whatever comes, until killed."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(MIB):
                writer.write(data)
                await writer.drain()
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0, limit=MIB) as server:
        print(server.sockets[0].getsockname()[1], flush=True)
        await server.serve_forever()


def bare(servers: Servers, row: Row) -> None:
    """The echo without a tunnel."""
    _use(servers.echo, row)


SYSTEMS: dict[str, Callable[[Servers, Row], object]] = {
    "no tunnel": bare,
    "skyward, one loop": lambda servers, row: asyncio.run(ours(servers, row)),
    "Paramiko, threads": paramiko,
}


def measure(system: str, nodes: int) -> Row:
    """Measure in a process of its own."""
    with serving(nodes) as servers:
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.ssh", "--measure", system],
            input=json.dumps(asdict(servers)),
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
    return Row(**{**json.loads(done.stdout), "nodes": nodes})


def measured(system: str) -> None:
    """Be that process."""
    row = Row(system, 0)
    SYSTEMS[system](Servers(**json.load(sys.stdin)), row)
    print(json.dumps(asdict(row)))


def table(rows: list[Row]) -> str:
    """The rows, for people."""
    columns = ("connect", "tunnels", "stall", "memory", "threads", "trip", "rate")
    widths = (10, 10, 10, 10, 9, 10, 11)
    head = f"{'':20}{'nodes':>6}" + "".join(f"{name:>{width}}" for name, width in zip(columns, widths, strict=True))
    lines = [
        f"{row.system:20}{row.nodes:>6}{row.connected:>8.2f} s{row.tunnelled:>8.2f} s{row.stall * 1000:>7.0f} ms"
        f"{row.memory:>6.0f} MiB{row.threads:>9}{row.round_trip * 1000:>7.2f} ms{row.rate:>5.0f} MiB/s"
        for row in rows
    ]
    return "\n".join([head, *lines])


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ssh", description=__doc__)
    parser.add_argument("--nodes", nargs="+", type=int, default=[10, 30, 100], metavar="N")
    parser.add_argument("--measure", choices=list(SYSTEMS), help=argparse.SUPPRESS)
    parser.add_argument("--echo", action="store_true", help=argparse.SUPPRESS)
    said = parser.parse_args()
    if said.echo:
        asyncio.run(echo())
    elif said.measure:
        measured(said.measure)
    else:
        there = [name for name in SYSTEMS if name != "Paramiko, threads" or importlib.util.find_spec("paramiko")]
        print(table([measure(name, nodes) for nodes in said.nodes for name in there]))


if __name__ == "__main__":
    main()
