"""The name `pool` in the notebook: bound to the active pool while nothing of the user's has that name.

A value that the user gave the name stays, whenever they do so. The pool is held by the name alone, so that deleting or
assigning it lets go of the pool. What the user should know of it is said once for each notebook.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterable
from typing import TYPE_CHECKING

from IPython.core.interactiveshell import InteractiveShell

from skyward_jupyter.api import registry
from skyward_jupyter.errors import NoPool

if TYPE_CHECKING:
    from skyward_jupyter.api.pool import ComputePool

NAME = "pool"

_BOUND = "the name pool now stands for pool {name}: f() >> pool runs a call on it"
_TAKEN = "the name pool is yours and stays as it is; sky.pool() returns {name}"
_STAYS = (
    "pool: the notebook's pool does not go to the nodes, where the name has no value; "
    "run calls such as f() >> pool in a cell without %%sky"
)


class AtHand:
    """The name `pool` of one shell."""

    def __init__(self, shell: InteractiveShell) -> None:
        self._shell = shell
        self._bound: weakref.ref[ComputePool] | None = None
        self._told: set[str] = set()
        self._untold: dict[str, str] = {}

    @property
    def pool(self) -> ComputePool | None:
        """The pool that the name is bound to, if it was bound here and is still that."""
        bound = self._bound() if self._bound is not None else None
        return bound if bound is not None and self._shell.user_ns.get(NAME) is bound else None

    def bind(self, pool: ComputePool, *, tell: bool = True) -> bool:
        """Bind the name to `pool` if it is free; return whether it is bound here, of which `news` is to tell."""
        names = self._shell.user_ns
        if NAME in names and self.pool is None:
            if names[NAME] is not pool:
                self._note("taken", _TAKEN.format(name=pool.name))
            return False
        self._shell.push({NAME: pool})
        self._bound = weakref.ref(pool)
        if tell:
            self._note("bound", _BOUND.format(name=pool.name))
        self._told.add("bound")
        return True

    def release(self, pool: ComputePool, running: Iterable[ComputePool]) -> None:
        """Have the name let go of a pool that has ended: it is bound to the last of those that run, or free."""
        if self.pool is not pool:
            return
        last = next(reversed(list(running)), None)
        if last is None:
            self._shell.drop_by_id({NAME: pool})
        else:
            self.bind(last)

    def follow(self, running: Iterable[ComputePool]) -> None:
        """Have the name not stay with a pool that was stopped while another one runs."""
        pool = self.pool
        if pool is not None and pool.state == "stopped" and (others := list(running)):
            self.release(pool, others)

    def absent(self, name: str) -> str:
        """Return what to do where a cell reads `name` and there is none: empty unless it would be the pool."""
        if name != NAME or NAME in self._shell.user_ns:
            return ""
        try:
            return f"pool {registry.pool().name} runs; sky.pool() returns it"
        except NoPool as none:
            return str(none)

    def unsent(self, names: dict[str, object], explicit: Iterable[str]) -> dict[str, object]:
        """`names` without the pool, unless it is sent explicitly: a pool cannot leave its notebook."""
        if self.pool is None or NAME in explicit:
            return names
        return {name: value for name, value in names.items() if name != NAME}

    def read(self) -> None:
        """Note that code on nodes reads the name, which has no value there."""
        if self.pool is not None:
            self._note("read", _STAYS)

    def news(self) -> list[str]:
        """Return what the user was not told yet, once."""
        told, self._untold = list(self._untold.values()), {}
        return told

    def _note(self, what: str, sentence: str) -> None:
        if what not in self._told:
            self._told.add(what)
            self._untold[what] = sentence
