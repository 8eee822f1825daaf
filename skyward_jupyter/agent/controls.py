"""Which kernel may start and end the nodes of which pool: a template's connections to kernels.

A pool has one control at a time. The kernel that started the template has the first for all its pools; another kernel
knocks at the pool's door, a socket in its private directory, and names an epoch. A later epoch than the present one
gets the pool, whoever had it is told, and an earlier one is refused: of two that knock one gets it.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
from dataclasses import dataclass, field

from skyward_jupyter.agent.channel import Channel, Message, encoded, short
from skyward_jupyter.agent.config import AgentConfig

#: The file of a pool's door.
DOOR = "door"


@dataclass(slots=True, eq=False)
class Control:
    """A connection to a kernel, with what it has not read yet: one that is busy for minutes holds up nobody."""

    channel: Channel
    unsent: bytearray = field(default_factory=bytearray)

    def fileno(self) -> int:
        """The socket's descriptor, for selectors."""
        return self.channel.fileno()

    def tell(self, message: Message) -> None:
        """Queue a message; `flush` sends it."""
        self.unsent += encoded(message)

    def flush(self) -> bool:
        """Send what can be sent; returns whether something is left."""
        try:
            sent = self.channel.sock.send(self.unsent, socket.MSG_DONTWAIT) if self.unsent else 0
        except BlockingIOError:
            sent = 0
        except OSError:
            sent = len(self.unsent)  # the kernel is gone, as reading will tell
        del self.unsent[:sent]
        return bool(self.unsent)


@dataclass(slots=True, eq=False)
class Pool:
    """A pool as its template knows it.

    Attributes
    ----------
    config
        Of the node that was started last.
    control
        The kernel that has it; None while there is none.
    ending
        Whether its kernel wants nothing of it any more.
    """

    config: AgentConfig
    control: Control | None
    door: socket.socket
    epoch: int
    ending: bool = False

    @property
    def store(self) -> str:
        """The pool's private directory."""
        return os.path.dirname(self.config.store)

    def take(self, control: Control, epoch: int, by: str) -> bool:
        """Let a kernel have the pool, if it comes later than the present one."""
        if self.ending or epoch <= self.epoch:
            return False
        if self.control is not None:
            self.control.tell({"op": "taken", "pool": self.config.key, "by": by})
        self.control, self.epoch = control, epoch
        return True

    def stamp(self) -> None:
        """Note when its kernel ended: the time of its record."""
        if self.config.record:
            with contextlib.suppress(OSError):
                os.utime(self.config.record)

    def remove(self) -> None:
        """Close its door and remove its files."""
        self.door.close()
        shutil.rmtree(self.store, ignore_errors=True)


def opened(config: AgentConfig, control: Control) -> Pool:
    """A pool that is new to the template, with its door open."""
    door = socket.socket(socket.AF_UNIX)
    pool = Pool(config, control, door, config.epoch)
    with short(f"{pool.store}/{DOOR}") as path:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
        door.bind(path)
    door.listen()
    return pool
