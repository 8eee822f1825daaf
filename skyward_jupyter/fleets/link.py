"""The kernel's connection to the template of a machine, through the door of a pool's directory there."""

from __future__ import annotations

import asyncio
import contextlib
import json
import struct

import asyncssh

from skyward_jupyter.agent.channel import Message, encoded
from skyward_jupyter.agent.controls import DOOR
from skyward_jupyter.ssh.machine import Machine

#: How long a template may take to answer (seconds); it does nothing that takes long.
ANSWER_WITHIN = 10.0
_LENGTH = struct.Struct("<I")


class Refused(Exception):
    """The template does not obey: the pool is another kernel's, or it ends."""


class DoorLink:
    """A connection to a door."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    def send(self, message: Message) -> None:
        """Tell the template something; lost when the connection is broken, as `receive` will say."""
        with contextlib.suppress(OSError):
            self._writer.write(encoded(message))

    async def receive(self) -> Message | None:
        """The next message; None when the connection is over."""
        try:
            (length,) = _LENGTH.unpack(await self._reader.readexactly(_LENGTH.size))
            message: Message = json.loads(await self._reader.readexactly(length))
        except (asyncio.IncompleteReadError, OSError, asyncssh.Error):
            return None
        return message

    async def ask(self, message: Message, *answers: str) -> Message:
        """Tell the template something and wait for one of these answers; TimeoutError, or OSError when it is over."""
        self.send(message)
        async with asyncio.timeout(ANSWER_WITHIN):
            while True:
                answer = await self.receive()
                if answer is None:
                    raise ConnectionResetError("the connection to the template is over")
                if answer["op"] in answers:
                    return answer

    def close(self) -> None:
        """Close it."""
        self._writer.close()


async def knock(machine: Machine, directory: str) -> DoorLink:
    """Connect to the door in a pool's directory; ConnectionRefusedError where nobody is behind it."""
    reader, writer = await machine.open_socket(f"{directory}/{DOOR}")
    return DoorLink(reader, writer)
