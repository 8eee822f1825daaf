"""Which kernel may start and end the nodes of which pool: a template's connections to kernels.

A pool has one control at a time. The kernel that started the template has the first for all its pools; another kernel
knocks at the pool's door, a socket in its private directory, and names an epoch. A later epoch than the present one
gets the pool, whoever had it is told, and an earlier one is refused: of two that knock one gets it. The kernel that has
it may knock again, as after its link was broken.
"""

from __future__ import annotations

import contextlib
import os
import socket
from dataclasses import dataclass, field

from skyward_jupyter.agent.channel import Channel, Message, bound, encoded
from skyward_jupyter.agent.config import AgentConfig
from skyward_jupyter.wire.moments import note_end
from skyward_jupyter.wire.spill import hold_store, remove_store

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
    key, store
        What names it unlike any other, and its private directory.
    config
        Of the node that was started last; None while there was none.
    control, holder
        The kernel that has it, None while there is none, and what that one calls itself when it knocks.
    epoch
        How often it was taken over; -1 while nobody has had it.
    ending
        Whether its kernel wants nothing of it any more.
    preload, chosen
        The libraries that its slots are to be born with; None for none. And those of them that were asked for by name;
        None when they are what its kernel has imported.
    """

    key: str
    store: str
    door: socket.socket
    config: AgentConfig | None = None
    control: Control | None = None
    epoch: int = -1
    holder: str = field(default="", repr=False)
    ending: bool = False
    preload: dict[str, tuple[str, ...]] | None = None
    chosen: tuple[str, ...] | None = None

    def take(self, control: Control, epoch: int, by: str, holder: str = "") -> bool:
        """Let a kernel have the pool, if it comes later than the present one, or is that one."""
        again = epoch == self.epoch and holder == self.holder != ""
        if self.ending or (epoch <= self.epoch and not again):
            return False
        if self.control is not None and not again:
            self.control.tell({"op": "taken", "pool": self.key, "by": by})
        self.control, self.epoch, self.holder = control, epoch, holder
        return True

    def stamp(self) -> None:
        """Note when its kernel ended, with its record."""
        if self.config is not None and self.config.record:
            with contextlib.suppress(OSError):
                note_end(self.config.record, self.epoch)

    def remove(self) -> None:
        """Close its door and remove its files."""
        self.door.close()
        self.clear()

    def clear(self) -> None:
        """Remove its files."""
        remove_store(self.store)


def opened(config: AgentConfig, control: Control) -> Pool:
    """A pool that is new to the template, with its door open."""
    store = os.path.dirname(config.store)
    hold_store(store)
    return Pool(config.key, store, open_door(store), config, control, config.epoch)


def open_door(store: str) -> socket.socket:
    """The door of a pool, in its private directory."""
    door = bound(f"{store}/{DOOR}")
    door.listen()
    return door
