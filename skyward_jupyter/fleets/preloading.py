"""What this process has imported that the slots of its pools may be born with.

`learn` looks at it, tells the pools on this machine, and has the template ready for the next pool; a notebook calls it
after each cell. What is looked at are names only: the template imports the libraries for itself, so that nothing that
was changed in them here is there too.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable
from importlib.machinery import ModuleSpec
from types import ModuleType
from weakref import WeakSet

from skyward_jupyter.agent.channel import Message
from skyward_jupyter.agent.preload import PROVEN, Libraries, top_of
from skyward_jupyter.fleets.base import Preloaded
from skyward_jupyter.fleets.launcher import launcher
from skyward_jupyter.wire.own import is_own

#: How many nodes the next pool is expected to have: as in most examples. Another number on a machine with more cores
#: than that gives libraries another share of them, and has them imported again.
NODES = 8

log = logging.getLogger("skyward")


def imported() -> dict[str, tuple[str, ...]]:
    """Return the proven libraries that this process has imported, in that order, each with its public modules."""
    found: dict[str, list[str]] = {}
    for name, module in list(sys.modules.items()):
        top = top_of(name)
        if top in PROVEN and _is_public(name) and _is_there(name, module) and not is_own(sys.modules.get(top, module)):
            found.setdefault(top, [])
            if name != top:
                found[top].append(name)
    return {top: tuple(names) for top, names in found.items()}


def named(modules: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    """Return modules by the library that they are of."""
    found: dict[str, tuple[str, ...]] = {}
    for name in modules:
        top = top_of(name)
        found[top] = found.get(top, ()) + ((name,) if name != top else ())
    return found


def message_of(libraries: Libraries, chosen: tuple[str, ...] | None) -> Message:
    """Return what a template is told."""
    return {"libraries": libraries, "chosen": chosen}


def surroundings() -> Message:
    """Return what slots of a pool that starts now would see."""
    try:
        directory = os.getcwd()
    except OSError:
        directory = ""
    return {"paths": list(map(str, sys.path)), "directory": directory, "env": dict(os.environ), "nodes": NODES}


class Preload:
    """What the slots of one pool are to be born with.

    Parameters
    ----------
    pool
        Its name, for a sentence.
    wanted
        As of `NodeSpec.preload`.
    send
        Takes what is to be told to the template of the pool's nodes.
    """

    def __init__(self, pool: str, wanted: bool | tuple[str, ...], send: Callable[[Message], None]) -> None:
        self._pool = pool
        self._wanted = wanted
        self._send = send
        self._said: set[str] = set()
        self._sent: Message | None = None
        if wanted is True:
            _following.add(self)

    def now(self) -> Message | None:
        """Return what the template is to know before a node starts; None for nothing."""
        if self._wanted is False or self._wanted == ():
            return None
        if self._wanted is True:
            self._sent = message_of(imported(), None)
        else:
            self._sent = message_of(named(self._wanted), self._wanted)
        return self._sent

    def follow(self, libraries: Libraries) -> None:
        """This process has imported more."""
        if (message := message_of(libraries, None)) != self._sent:
            self._sent = message
            self._send(message)

    def end(self) -> None:
        """The pool is over."""
        _following.discard(self)

    def told(self, message: Message) -> Preloaded:
        """Take what the template says there is; what it refused is said once, when it is not tried again."""
        again = dict.fromkeys(message["again"], "; it is tried again")
        refused = {name: f"{why}{again.get(name, '')}" for name, why in message["refused"].items()}
        preloaded = Preloaded(tuple(message["libraries"]), refused)
        for name, why in refused.items():
            if name not in self._said and name not in again:
                self._said.add(name)
                log.warning(
                    "pool %s does not preload %s: %s; its nodes import it when they use it", self._pool, name, why
                )
        return preloaded


#: The pools whose slots are born with what this process has imported.
_following: WeakSet[Preload] = WeakSet()


def follow(libraries: Libraries) -> bool:
    """Tell the pools of this process what it has imported; returns whether there are any. For the runtime's loop."""
    following = list(_following)
    for preload in following:
        preload.follow(libraries)
    return bool(following)


def prepare(wanted: bool | tuple[str, ...], libraries: Libraries) -> None:
    """Have this process's template ready for a pool that wants this, with what is imported. For the runtime's loop."""
    names = () if wanted is True else wanted or ()
    message = message_of(libraries if wanted is True else named(names), None if wanted is True else names)
    if message["libraries"]:
        launcher().send({"op": "preload", "surroundings": surroundings(), "preload": message})


def _is_public(name: str) -> bool:
    return not any(part.startswith("_") or part in ("tests", "conftest") for part in name.split("."))


def _is_there(name: str, module: object) -> bool:
    """Return whether a module is imported under its own name, and as a whole."""
    spec = getattr(module, "__spec__", None)
    if not isinstance(module, ModuleType) or not isinstance(spec, ModuleSpec):
        return False
    return spec.name == name and not getattr(spec, "_initializing", False)
