"""A link between this process and the nodes of its pools that a test can cut, stall and mend."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading

import casty
import pytest

from skyward_jupyter.agent import cluster

#: Closes a connection with a reset, as a machine does that knows nothing of it any more.
_RESET = struct.pack("ii", 1, 0)


class Link:
    """Every connection from here to a node passes through it: a TCP proxy for each node that is dialled."""

    def __init__(self) -> None:
        self.dials = 0
        self._ports: dict[str, int] = {}
        self._open: set[socket.socket] = set()
        self._whole = threading.Event()
        self._flows = threading.Event()
        self._whole.set()
        self._flows.set()
        self._servers: list[socket.socket] = []

    def install(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Have the pools that start from now on dial through it."""
        made = casty.Client
        monkeypatch.setattr(cluster, "Client", lambda **given: made(**{**given, "address_map": self.map}))

    def map(self, address: str) -> str:
        """Where to dial instead of a node's own address."""
        if address not in self._ports:
            server = socket.create_server(("127.0.0.1", 0))
            self._servers.append(server)
            self._ports[address] = server.getsockname()[1]
            threading.Thread(target=self._accept, args=(server, address), daemon=True).start()
        return f"127.0.0.1:{self._ports[address]}"

    def cut(self) -> None:
        """Drop what is connected, and whatever dials until it is mended."""
        self._whole.clear()
        for sock in list(self._open):
            self._drop(sock)

    def stall(self) -> None:
        """Let nothing through, and say nothing of it."""
        self._flows.clear()

    def mend(self) -> None:
        """Be whole again."""
        self._flows.set()
        self._whole.set()

    def close(self) -> None:
        """Be over; a pool has to have dialled through it."""
        assert self.dials
        self.mend()
        for server in self._servers:
            with contextlib.suppress(OSError):
                server.shutdown(socket.SHUT_RDWR)
            server.close()
        for sock in list(self._open):
            self._drop(sock)

    def _accept(self, server: socket.socket, address: str) -> None:
        host, _, port = address.rpartition(":")
        while True:
            try:
                near, _ = server.accept()
            except OSError:
                return
            self.dials += 1
            if not self._whole.is_set():
                self._drop(near)
                continue
            try:
                far = socket.create_connection((host, int(port)), timeout=5)
            except OSError:
                self._drop(near)
                continue
            far.settimeout(None)
            for one, other in ((near, far), (far, near)):
                self._open.add(one)
                threading.Thread(target=self._carry, args=(one, other), daemon=True).start()

    def _carry(self, one: socket.socket, other: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := one.recv(65536):
                self._flows.wait()
                other.sendall(data)
        self._drop(one)
        self._drop(other)

    def _drop(self, sock: socket.socket) -> None:
        self._open.discard(sock)
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            sock.shutdown(socket.SHUT_RDWR)
        sock.close()
