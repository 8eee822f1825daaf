"""The kernel's side of the lease of nodes elsewhere: the process that renews it, and what that is told.

That process lives exactly as long as this one, whatever this one is busy with: it ends when its standard input does.
Should it end by itself, another one takes its place.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import select
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from skyward_jupyter.agent.lease import owner_gone
from skyward_jupyter.tasks import begin

if TYPE_CHECKING:
    from skyward_jupyter.fleets.place import Plan
    from skyward_jupyter.fleets.site import Site

log = logging.getLogger("skyward")

#: A process that ends at once is not started again at once (seconds).
PAUSE = 5.0
#: How long the last word waits for a process that reads nothing (seconds); then its end is all that this one hears.
LAST_WITHIN = 2.0


class Keeping:
    """Keeps the lease of one pool's nodes.

    Parameters
    ----------
    record
        The pool's record, which is stamped when this process ends.
    spread
        Whether the nodes tell each other, so that one of them is enough.
    """

    def __init__(self, plan: Plan, record: Path, *, spread: bool) -> None:
        self._common = {
            "pool": plan.key,
            "epoch": plan.epoch,
            "ttl": plan.ttl,
            "spread": spread,
            "record": str(record),
            "owner": os.getpid(),
        }
        self._machines: list[dict[str, Any]] = []
        self._process: subprocess.Popen[bytes] | None = None
        self._line: Line | None = None
        self._guard: asyncio.Task[None] | None = None
        self._over = False

    @property
    def pid(self) -> int:
        """Of the process; 0 for none."""
        return self._process.pid if self._process is not None else 0

    def watch(self, sites: Sequence[Site]) -> None:
        """Renew the lease at these machines from now on."""
        if self._over:
            return
        self._machines = [
            {"instance": asdict(site.instance), "directory": site.place.directory}
            for site in sites
            if site.place is not None
        ]
        if self._guard is None or self._guard.done():
            self._begin()
            self._guard = begin(self._replace(), "watching the process that renews the lease of the nodes")
        else:
            assert self._line is not None
            self._line.say({"op": "watch", "machines": self._machines})

    def finish(self) -> None:
        """This process ends, and nobody shall go on with the pool: have the other one end the nodes."""
        self._last_word({"op": "finish"})

    def close(self) -> None:
        """Renew no more."""
        self._last_word({"op": "close"})

    def _last_word(self, message: dict[str, Any]) -> None:
        if self._over:
            return
        self._over = True
        if self._guard is not None and not self._guard.get_loop().is_closed():
            with contextlib.suppress(RuntimeError):
                self._guard.cancel()
        if self._line is not None:
            self._line.close(message)

    async def ended(self) -> None:
        """Wait, after `close`, until the process has ended."""
        if self._process is not None:
            await owner_gone(self._process.pid)
            self._process.wait()

    def _begin(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "skyward_jupyter.fleets.keeper"],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, map(str, sys.path)))},
            start_new_session=True,
        )
        assert self._process.stdin is not None
        self._line = Line(self._process.stdin)
        self._line.say({"op": "watch", **self._common, "machines": self._machines})

    async def _replace(self) -> None:
        """Start another one whenever it ends."""
        while True:
            assert self._process is not None
            await owner_gone(self._process.pid)
            self._process.wait()
            assert self._line is not None
            self._line.close()
            await asyncio.sleep(PAUSE)
            await self._begun_again()

    async def _begun_again(self) -> None:
        """Start another one as soon as the system has room for it."""
        while True:
            try:
                self._begin()
                return
            except OSError as error:
                log.warning("what renews the lease of nodes cannot be started (%s); it is tried again", error)
            await asyncio.sleep(PAUSE)


class Line:
    """Says what is so now through a pipe, whose reader may be slow: of what it has not begun to read the last counts.

    What is said is a part of the whole: what it does not name is as it was.
    """

    def __init__(self, pipe: IO[bytes]) -> None:
        os.set_blocking(pipe.fileno(), False)
        self._pipe = pipe
        self._loop = asyncio.get_running_loop()
        self._unsent = b""
        self._next: dict[str, Any] = {}

    def say(self, message: dict[str, Any]) -> None:
        """Say it as soon as that is possible; returns at once."""
        if not self._pipe.closed:
            self._next |= message
            self._send()

    def close(self, message: dict[str, Any] | None = None) -> None:
        """Say a last word, and wait until all of it is said, but not for long. The loop may be over."""
        if self._pipe.closed:
            return
        with contextlib.suppress(RuntimeError):
            self._loop.remove_writer(self._pipe)
        with contextlib.suppress(OSError):
            self._write(self._unsent + b"".join(map(_line, filter(None, (self._next, message)))))
        with contextlib.suppress(OSError):
            self._pipe.close()

    def _write(self, rest: bytes) -> None:
        room, until = select.poll(), time.monotonic() + LAST_WITHIN
        room.register(self._pipe, select.POLLOUT)
        while rest and room.poll(max(0.0, until - time.monotonic()) * 1000):
            rest = rest[os.write(self._pipe.fileno(), rest) :]

    def _send(self) -> None:
        try:
            while self._unsent or self._next:
                if not self._unsent:
                    self._unsent, self._next = _line(self._next), {}
                self._unsent = self._unsent[os.write(self._pipe.fileno(), self._unsent) :]
        except BlockingIOError:
            self._loop.add_writer(self._pipe, self._send)
            return
        except OSError:
            # Its reader has ended, and another one is told all of it.
            self._unsent, self._next = b"", {}
        self._loop.remove_writer(self._pipe)


def _line(message: dict[str, Any]) -> bytes:
    return json.dumps(message).encode() + b"\n"
