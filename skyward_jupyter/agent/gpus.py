"""What a node's GPUs do, asked of ``nvidia-smi`` only while somebody wants to know, and never where there is none.

Nobody waits for it but who says so: the command may take seconds, or hang with its driver.
"""

from __future__ import annotations

import asyncio
import contextlib
import shlex
import shutil
import time
from collections.abc import Collection

from skyward_jupyter.agent.accelerators import COMMAND, GpuLoad, loads
from skyward_jupyter.tasks import begin

#: Seconds between two readings, and after which one says nothing any more.
EVERY = 2.0
STALE = 10.0
#: Seconds that the command may take.
WITHIN = 5.0


class GpuMeter:
    """Reads the GPUs of one node.

    Parameters
    ----------
    gpus
        The numbers of those that are the node's; without any, nothing is ever read.
    path
        Where the command is looked for; the process's own PATH when None.
    """

    def __init__(self, gpus: Collection[int], path: str | None = None) -> None:
        self._gpus = frozenset(gpus)
        self._path = path
        self._last: tuple[GpuLoad, ...] = ()
        self._at = self._asked = float("-inf")
        self._reading: asyncio.Task[None] | None = None

    def last(self) -> tuple[GpuLoad, ...]:
        """The last reading, none when it is old; another one begins if it is time."""
        now = time.monotonic()
        if self._gpus and self._reading is None and now - self._asked >= EVERY:
            self._asked = now
            self._reading = begin(self._read(), "asking for the load of the GPUs")
        return self._last if now - self._at < STALE else ()

    async def now(self) -> tuple[GpuLoad, ...]:
        """A reading that is not older than it needs to be."""
        self.last()
        if self._reading is not None:
            await asyncio.wait([self._reading], timeout=WITHIN)
        return self.last()

    async def _read(self) -> None:
        try:
            text = await _said(self._path)
            self._last = tuple(load for load in loads(text) if load.index in self._gpus)
            self._at = time.monotonic()
        finally:
            self._reading = None


async def _said(path: str | None) -> str:
    """What the command writes; nothing when it cannot be run or does not end in time."""
    words = shlex.split(COMMAND)
    if (found := shutil.which(words[0], path=path)) is None:
        return ""
    null = asyncio.subprocess.DEVNULL
    try:
        process = await asyncio.create_subprocess_exec(
            found, *words[1:], stdin=null, stdout=asyncio.subprocess.PIPE, stderr=null
        )
    except OSError:
        return ""
    try:
        async with asyncio.timeout(WITHIN):
            said, _ = await process.communicate()
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()  # one that hangs in its driver stays the only one
        return ""
    return said.decode(errors="replace") if process.returncode == 0 else ""
