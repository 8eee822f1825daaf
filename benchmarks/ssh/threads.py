"""The same with Paramiko: a thread for each connection, beside the one that Paramiko has for it."""

from __future__ import annotations

import contextlib
import socket
import socketserver
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from time import perf_counter

import paramiko

from benchmarks.ssh import stream
from benchmarks.ssh.rows import Connections
from benchmarks.ssh.servers import Servers
from benchmarks.ssh.tunnel import PACKET, read, use
from benchmarks.ssh.weight import longest, memory, thread_stall, threads


def measure(servers: Servers, row: Connections) -> None:
    """Connect to all, have a tunnel to each, hear a command on each."""
    before, used = memory(), time.process_time()
    with ThreadPoolExecutor(len(servers.addresses)) as pool:

        def all_of[S, T](work: Callable[[S], T], items: list[S]) -> tuple[float, list[T]]:
            began = perf_counter()
            done = list(pool.map(work, items))
            return perf_counter() - began, done

        with thread_stall() as stall:
            row.connected, clients = all_of(lambda address: _connected(servers, address), servers.addresses)
            row.tunnelled, ports = all_of(lambda client: _through(client, servers.echo), clients)
        with thread_stall() as stream_stall:
            row.streamed, _ = all_of(_streamed, clients)
        row.processor, row.memory, row.threads = time.process_time() - used, memory() - before, threads()
    row.stall, row.stream_stall = stall.seconds, stream_stall.seconds
    row.own = longest(stall, stream_stall)
    use(ports[0], row)
    for client in clients:
        client.close()


def _connected(servers: Servers, address: str) -> paramiko.SSHClient:
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


def _through(client: paramiko.SSHClient, echo: int) -> int:
    port = _forwarded(client.get_transport(), echo)
    with socket.create_connection(("127.0.0.1", port)) as sock:
        sock.sendall(PACKET)
        read(sock, len(PACKET))
    return port


def _streamed(client: paramiko.SSHClient) -> None:
    _, output, _ = client.exec_command(stream.COMMAND)
    # What a line shows is what was drawn last.
    stream.check([line.rstrip("\n").rpartition("\r")[2] for line in output])


def _forwarded(transport: paramiko.Transport, port: int) -> int:
    """A port here that leads there, with a thread for each connection and direction, as Paramiko's own example has."""

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            self.request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            channel = transport.open_channel("direct-tcpip", ("127.0.0.1", port), self.request.getpeername())
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
