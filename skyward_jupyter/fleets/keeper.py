"""Renews the lease of a pool's nodes on other machines, for exactly as long as the process of its kernel lives.

A kernel that is busy for minutes says nothing to anybody, but it is alive; one that was killed says nothing either. So
it is this process, with connections of its own, that tells the nodes: the end of its standard input, or of the process
that started it, is the kernel's end. Nodes that reach each other pass it on, so one of them is told; whoever answers.

``python -m skyward_jupyter.fleets.keeper`` reads lines of JSON: ``watch`` with the machines, ``close``, and ``finish``,
which ends the nodes at once.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
from typing import Any

from setproctitle import setproctitle

from skyward_jupyter.agent.lease import owner_gone
from skyward_jupyter.errors import SkywardError
from skyward_jupyter.fleets.link import DoorLink, knock
from skyward_jupyter.providers.base import Instance
from skyward_jupyter.ssh.connection import Connection
from skyward_jupyter.ssh.login import connection
from skyward_jupyter.tasks import Tasks, begin
from skyward_jupyter.wire.moments import note_end

#: Renewals in one ttl.
RENEWALS = 5
#: How long one machine may take to answer, and to end its nodes (seconds).
ANSWER_WITHIN = 20.0
FINISH_WITHIN = 30.0
_LEAST = 2.0

_FAULTS = (SkywardError, OSError, TimeoutError)


class _Machine:
    """A machine with a node on it."""

    def __init__(self, instance: Instance, directory: str) -> None:
        self.instance = instance
        self.directory = directory
        self._connection: Connection | None = None
        self._link: DoorLink | None = None

    async def ask(self, message: dict[str, Any], answer: str) -> dict[str, Any]:
        """Ask its template."""
        try:
            async with asyncio.timeout(ANSWER_WITHIN):
                return await (await self._linked()).ask(message, answer)
        except BaseException:
            await self._drop_link()
            raise

    async def finish(self, message: dict[str, Any]) -> None:
        """Have its template end everything, and wait until it has."""
        link = await self._linked()
        link.send(message)
        while await link.receive() is not None:
            pass

    async def close(self) -> None:
        """Disconnect."""
        await self._drop_link()
        made, self._connection = self._connection, None
        if made is not None:
            await made.close()

    async def _linked(self) -> DoorLink:
        if self._connection is None:
            made = await connection(self.instance)
            await made.open(ANSWER_WITHIN)
            self._connection = made
        if self._link is None:
            self._link = await knock(self._connection, self.directory)
        return self._link

    async def _drop_link(self) -> None:
        link, self._link = self._link, None
        if link is not None:
            link.close()


class Keeper:
    """Renews the lease of one pool."""

    def __init__(self) -> None:
        self._facts: dict[str, Any] = {}
        self._machines: dict[tuple[str, str], _Machine] = {}
        self._changed = asyncio.Event()
        self._closing = Tasks("closing the connection to a machine")
        self._last: _Machine | None = None

    def watch(self, message: dict[str, Any]) -> None:
        """These are the machines from now on."""
        self._facts.update({name: value for name, value in message.items() if name != "machines"})
        before, self._machines = self._machines, {}
        for facts in message["machines"]:
            instance = Instance(**{**facts["instance"], "accelerators": tuple(facts["instance"]["accelerators"])})
            place = instance.id, facts["directory"]
            known = before.pop(place) if place in before else _Machine(instance, facts["directory"])
            self._machines[place] = known
        if self._last not in self._machines.values():
            self._last = next(iter(self._machines.values()), None)
        for machine in before.values():
            self._closing.start(machine.close())
        self._changed.set()

    async def renew(self) -> None:
        """Renew again and again."""
        while True:
            if self._facts:
                await self._renew()
            self._changed.clear()
            every = self._facts["ttl"] / RENEWALS if self._facts else None
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(every):
                    await self._changed.wait()

    async def _renew(self) -> None:
        spread = self._facts["spread"]
        message = self._message("renew", spread=spread)
        if not spread:
            await asyncio.gather(*(self._told(machine, message) for machine in self._machines.values()))
            return
        if self._last is not None and await self._told(self._last, message):
            return
        # It does not matter how long the others take to find out that some of them do not answer.
        machines = [machine for machine in self._machines.values() if machine is not self._last]
        answers = await asyncio.gather(*(self._told(machine, message) for machine in machines))
        self._last = next((machine for machine, told in zip(machines, answers, strict=True) if told), self._last)

    async def _told(self, machine: _Machine, message: dict[str, Any]) -> bool:
        """Renew at one machine; False when there is no node of this pool that could pass it on."""
        try:
            async with asyncio.timeout(max(_LEAST, self._facts["ttl"] / RENEWALS)):
                answer = await machine.ask(message, "renewed")
        except _FAULTS:
            return False
        return bool(answer["agents"])

    async def finish(self) -> None:
        """End the nodes, each for itself."""

        async def one(machine: _Machine) -> None:
            with contextlib.suppress(*_FAULTS):
                async with asyncio.timeout(FINISH_WITHIN):
                    await machine.finish(self._message("finish"))

        await asyncio.gather(*map(one, self._machines.values()))

    async def close(self) -> None:
        """Disconnect."""
        await asyncio.gather(*(machine.close() for machine in self._machines.values()))

    def stamp(self) -> None:
        """Note when the kernel ended, with the pool's record."""
        with contextlib.suppress(OSError):
            note_end(self._facts.get("record", ""), self._facts.get("epoch", 0))

    def _message(self, op: str, **more: object) -> dict[str, Any]:
        return {"op": op, "pool": self._facts.get("pool", ""), "epoch": self._facts.get("epoch", 0), **more}


async def serve() -> None:
    """Keep the lease until the kernel is gone, or says that it needs it no more."""
    keeper = Keeper()
    parent = os.getppid()
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=2**24)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin.buffer)
    renewing = begin(keeper.renew(), "renewing the lease")
    gone = begin(owner_gone(parent), "watching the kernel")
    reading = begin(_read(keeper, reader), "reading what the kernel says")
    await asyncio.wait([renewing, gone, reading], return_when=asyncio.FIRST_COMPLETED)
    last = reading.result() if reading.done() else ""
    renewing.cancel()
    if last == "":
        keeper.stamp()
    elif last == "finish":
        await keeper.finish()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(ANSWER_WITHIN):
            await keeper.close()
    for task in (gone, reading):
        task.cancel()


async def _read(keeper: Keeper, reader: asyncio.StreamReader) -> str:
    """Take in what the kernel says; returns its last word, empty when it had none. A part of a line is none."""
    while (line := await reader.readline()).endswith(b"\n"):
        message = json.loads(line)
        op = message.pop("op")
        if op != "watch":
            return str(op)
        keeper.watch(message)
    return ""


def main() -> None:
    """Entry."""
    setproctitle(f"skyward: keeper {os.getppid()}")
    asyncio.run(serve())


if __name__ == "__main__":
    main()
