"""The kernel's side of the lease of nodes elsewhere: the process that renews it, and what that is told.

That process lives exactly as long as this one, whatever this one is busy with: it ends when its standard input does.
Should it end by itself, another one takes its place.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from skyward_jupyter.agent.lease import owner_gone

if TYPE_CHECKING:
    from skyward_jupyter.fleets.place import Plan
    from skyward_jupyter.fleets.site import Site

#: A process that ends at once is not started again at once (seconds).
PAUSE = 5.0


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
            self._guard = asyncio.create_task(self._replace())
        else:
            self._say({"op": "watch", "machines": self._machines})

    def finish(self) -> None:
        """This process ends, and nobody shall go on with the pool: have the other one end the nodes."""
        self._say({"op": "finish"})
        self.close()

    def close(self) -> None:
        """Renew no more."""
        self._over = True
        if self._guard is not None and not self._guard.get_loop().is_closed():
            with contextlib.suppress(RuntimeError):
                self._guard.cancel()
        if self._process is not None and self._process.stdin is not None:
            self._say({"op": "close"})
            with contextlib.suppress(OSError):
                self._process.stdin.close()

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
        self._say({"op": "watch", **self._common, "machines": self._machines})

    async def _replace(self) -> None:
        """Start another one whenever it ends."""
        while True:
            assert self._process is not None
            await owner_gone(self._process.pid)
            self._process.wait()
            await asyncio.sleep(PAUSE)
            self._begin()

    def _say(self, message: dict[str, Any]) -> None:
        if self._process is None or self._process.stdin is None:
            return
        with contextlib.suppress(OSError, ValueError):
            self._process.stdin.write(json.dumps(message).encode() + b"\n")
            self._process.stdin.flush()
