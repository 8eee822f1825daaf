"""Keeps one machine connected, from its first answer to `close`, however often the connection breaks.

What is asked of it during a break waits for a while. Whoever watches hears every change of state, with the reason.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from typing import Literal

from skyward_jupyter.errors import AuthenticationFailed, ConnectionFailed, ConnectionLost
from skyward_jupyter.ssh.dial import Line, NotYet, dial
from skyward_jupyter.ssh.hosts import Host
from skyward_jupyter.ssh.known import Ledger
from skyward_jupyter.tasks import begin

#: ``failed`` is for good, as ``closed`` is: the machine refused us after it had accepted us.
type State = Literal["connecting", "up", "lost", "failed", "closed"]
type Watch = Callable[[State, str], None]

#: How long one attempt may take (seconds).
ATTEMPT = 20.0
#: How long what is asked during a break waits for its end (seconds).
PATIENCE = 60.0
#: The shortest and the longest pause between attempts (seconds).
_PAUSES = (0.25, 5.0)


def unwatched(state: State, why: str) -> None:
    """The watch of nobody."""


class Keeper:
    """The line to one machine.

    Attributes
    ----------
    state, why
        What the watch was told last.
    """

    def __init__(self, host: Host, ledger: Ledger, watch: Watch = unwatched) -> None:
        self.state: State = "connecting"
        self.why = ""
        self._host = host
        self._ledger = ledger
        self._watch = watch
        self._line: Line | None = None
        self._failure: Exception | None = None
        self._moved = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def open(self, within: float, unaccepted: float = 0.0) -> None:
        """Connect; a machine that is not up yet gets `within` seconds, our key `unaccepted` seconds to be known there.

        Raises
        ------
        ConnectionFailed
            It could not be reached in time, or never will be.
        """
        accept_by = asyncio.get_running_loop().time() + unaccepted
        self._task = begin(self._keep(accept_by), f"keeping the connection to {self._host.name}")
        try:
            async with asyncio.timeout(within):
                await self.line(within)
        except (TimeoutError, ConnectionLost):
            why = self.why
            await self.close()
            raise ConnectionFailed(
                self._host.name,
                f"{self._host.name} could not be reached within {within:g} s ({why}): check that it runs, "
                f"and that {self._host.place} may be reached from here",
            ) from None
        except BaseException:
            await self.close()
            raise

    @property
    def up(self) -> Line | None:
        """The line, if it is up right now."""
        return self._line

    async def line(self, patience: float | None = PATIENCE) -> Line:
        """The line, once it is up.

        Raises
        ------
        ConnectionLost
            It is closed, or has been broken for longer than `patience`.
        ConnectionFailed
            The machine refused us.
        """
        try:
            async with asyncio.timeout(patience):
                while self._line is None:
                    if self._failure is not None:
                        raise self._failure
                    if self.state == "closed":
                        raise ConnectionLost(self._host.name, f"the connection to {self._host.name} is closed")
                    await self._moved.wait()
        except TimeoutError:
            raise ConnectionLost(
                self._host.name, f"{self._host.name} has not been reachable for {patience:g} s: {self.why}"
            ) from None
        return self._line

    async def another(self) -> Line:
        """A second line, for once; whoever asks for it closes it.

        Raises
        ------
        NotYet
            It could not be had.
        """
        return await dial(self._host, self._ledger, ATTEMPT)

    async def close(self) -> None:
        """End the connection, and the attempts to have one."""
        line, self._line = self._line, None
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        if self.state not in ("failed", "closed"):
            self._tell("closed", "")
        if line is not None:
            await _closed(line)

    async def _keep(self, accept_by: float) -> None:
        try:
            while True:
                self._line = await self._reached(accept_by)
                self._tell("up", self._line.note)
                why = await self._line.ended()
                self._line = None
                self._tell("lost", why)
        except Exception as error:
            # Whatever it is: those who wait must hear of it, and whoever asks later.
            self._failure = error
            self._tell("failed", str(error))

    async def _reached(self, accept_by: float) -> Line:
        """Try until it is up."""
        pause, longest = _PAUSES
        while True:
            try:
                return await dial(self._host, self._ledger, ATTEMPT)
            except NotYet as error:
                self._tell("connecting", str(error))
            except AuthenticationFailed as error:
                if asyncio.get_running_loop().time() >= accept_by:
                    raise
                self._tell("connecting", str(error))
            await asyncio.sleep(pause * random.uniform(0.75, 1.25))
            pause = min(pause * 1.6, longest)

    def _tell(self, state: State, why: str) -> None:
        self.state, self.why = state, why
        self._moved.set()
        self._moved = asyncio.Event()
        self._watch(state, why)


async def _closed(line: Line) -> None:
    """Close a line politely, and at once when the other side does not answer."""
    try:
        async with asyncio.timeout(2):
            await line.close()
    except TimeoutError:
        line.abort()
