"""The slots of a node that have run nothing yet, and those with more libraries that take their place.

A slot is there at once and imports for itself what it lacks. Once a preloader has what the pool's slots are to be born
with, each slot that has run nothing is replaced by one that is forked from it. A task that names one of these libraries
waits for that instead of importing them in each slot; no other task waits. A slot that has run a task stays as it is,
with whatever that has left in it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from skyward_jupyter.agent.channel import Message
from skyward_jupyter.agent.slots import SlotLink
from skyward_jupyter.wire.messages import Code, Task
from skyward_jupyter.wire.project import Loaded, Project

#: What packed values begin with whose names can be read in them.
_READABLE = b"p"

type Names = tuple[bytes, ...]


class Successors:
    """Those of one node.

    Parameters
    ----------
    send
        Takes a message for the template.
    session
        The index of the session, which has no successor: its names are the user's.
    """

    def __init__(self, send: Callable[[Message], None], session: int) -> None:
        self._send = send
        self._session = session
        self._stock = 0
        self._libraries: Names = ()
        self._awaited: Names = ()
        self._asked: set[int] = set()
        self._dismissed: set[int] = set()
        self._project = Code("", b"")
        self._own: Mapping[bytes, bytes] = {}

    def await_for(self, libraries: Iterable[str]) -> None:
        """Take in which libraries are still imported for slots that are to come."""
        self._awaited = _names(libraries)

    def learn(self, message: Message, slots: Iterable[SlotLink]) -> None:
        """Take in which preloader slots are forked from now, and have those among `slots` be replaced that are not."""
        self.await_for(message["awaited"])
        self._stock, self._libraries = message["stock"], _names(message["libraries"])
        self.ask(slots)

    def ask(self, slots: Iterable[SlotLink]) -> None:
        """Ask for successors of those among `slots` that are to be replaced."""
        processes: dict[int, list[SlotLink]] = {}
        for slot in slots:
            processes.setdefault(slot.pid, []).append(slot)
        for pid, links in processes.items():
            index = links[0].index
            outdated = self._stock and links[0].stock != self._stock
            if outdated and index != self._session and pid not in self._asked and all(it.untouched for it in links):
                self._asked.add(pid)
                sockets = len(links) + (links[0].control is not None)
                self._send({"op": "slot", "slot": index, "sockets": sockets})

    def may_follow(self, new: SlotLink, former: Iterable[SlotLink]) -> bool:
        """Return whether a slot is to take the place of the process that has `former`."""
        former = tuple(former)
        for link in former:
            self._asked.discard(link.pid)
        return new.stock not in {0, *(link.stock for link in former)} and all(link.untouched for link in former)

    def dismiss(self, pid: int) -> None:
        """Note a process that has been ended and is not to be replaced."""
        self._asked.discard(pid)
        self._dismissed.add(pid)

    def was_dismissed(self, pid: int) -> bool:
        """Return whether a process that has ended is not to be replaced; asked once."""
        self._asked.discard(pid)
        found = pid in self._dismissed
        self._dismissed.discard(pid)
        return found

    def failed(self, pid: int) -> None:
        """Note that a process gets no successor for now."""
        self._asked.discard(pid)

    def waits(self, slot: SlotLink, task: Task, code: bytes, project: Code) -> bool:
        """Return whether a task is to wait for the successor of a slot that could run it now."""
        names = self._libraries if slot.pid in self._asked else self._awaited
        if not names or not slot.untouched or slot.index == self._session:
            return False
        if _names_any(names, code, task.args):
            return True
        own = self._own_of(project)
        return _names_any(tuple(own), code, task.args) and any(_names_any(names, source) for source in own.values())

    def _own_of(self, project: Code) -> Mapping[bytes, bytes]:
        """Return the user's own modules, which may import what they name, with their sources."""
        if project.digest != self._project.digest:
            self._project = project
            own = Project.from_bytes(project.body)
            self._own = {name.encode(): _source(own.modules.get(name)) for name in own.loaded}
        return self._own


def _source(module: Loaded | None) -> bytes:
    """Return the source of a module as something packed that can be read, or as nothing that can."""
    with contextlib.suppress(OSError):
        if module is not None:
            return _READABLE + Path(module.path).read_bytes()
    return b""


def _names(libraries: Iterable[str]) -> Names:
    return tuple(name.encode() for name in libraries)


def _names_any(names: Names, *packed: bytes) -> bool:
    """Return whether one of `names` may be used by what was packed; of something large only that is known."""
    return any(data[:1] != _READABLE or any(name in data for name in names) for data in packed)
