"""The template process of this kernel: started once, shared by its local pools, gone when they are."""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from skyward_jupyter.agent.channel import Channel, Message
from skyward_jupyter.runtime.bridge import runtime

type Heard = Callable[[Message], None]

_launcher: Launcher | None = None


class Launcher:
    """The kernel's end of its template process.

    Attributes
    ----------
    pid
        Of the template.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        ours, theirs = socket.socketpair()
        self._channel = Channel(ours)
        self._heard: dict[str, Heard] = {}
        self._loop = loop
        self.alive = True
        log, self._log = tempfile.mkstemp(prefix="skyward-", suffix=".log")
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "skyward_jupyter.agent.template", str(theirs.fileno())],
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=log,
            env={
                **os.environ,
                "PYTHONPATH": os.pathsep.join(filter(None, map(str, sys.path))),
            },
            start_new_session=True,
        )
        theirs.close()
        os.close(log)
        self.pid = self._process.pid
        loop.add_reader(ours, self._read)

    def listen(self, pool: str, heard: Heard) -> None:
        """Hand what concerns `pool` to `heard`."""
        self._heard[pool] = heard

    def forget(self, pool: str) -> None:
        """Nobody listens for `pool` any more."""
        self._heard.pop(pool, None)

    def send(self, message: Message) -> None:
        """Tell the template something; when it is gone, every pool hears that its nodes are."""
        with contextlib.suppress(OSError):
            self._channel.send(message)

    def _read(self) -> None:
        received = self._channel.receive()
        if received is None:
            self._gone()
            return
        for message, _ in received:
            heard = self._heard.get(message.get("pool", ""))
            if heard is not None:
                heard(message)

    def _gone(self) -> None:
        global _launcher
        self.alive = False
        if _launcher is self:
            _launcher = None
        self._loop.remove_reader(self._channel.sock)
        self._channel.close()
        self._process.wait()
        Path(self._log).unlink(missing_ok=True)
        for heard in list(self._heard.values()):
            heard({"op": "template_gone", "why": f"exit status {self._process.returncode}"})

    def close(self) -> None:
        """End the template and everything it started."""
        if self.alive:
            self.send({"op": "end"})
            with contextlib.suppress(RuntimeError):
                self._loop.remove_reader(self._channel.sock)
            self._channel.close()
            self.alive = False
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(2.0)
            Path(self._log).unlink(missing_ok=True)


def launcher() -> Launcher:
    """The template of this process, started when there is none. Call it on the runtime's loop."""
    global _launcher
    if _launcher is None or not _launcher.alive:
        _launcher = Launcher(runtime().loop)
        atexit.register(_launcher.close)
    return _launcher
