"""What the pools of a template have preloaded: which slots wait for it, and what their kernels are told."""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping, Sequence
from selectors import BaseSelector

from skyward_jupyter.agent.again import Key
from skyward_jupyter.agent.channel import Message
from skyward_jupyter.agent.config import AgentConfig
from skyward_jupyter.agent.controls import Pool
from skyward_jupyter.agent.stock import Shelf, Stock
from skyward_jupyter.agent.surroundings import Surroundings


class Shelves:
    """Those of one template.

    Parameters
    ----------
    selector
        Where the template waits.
    mark
        Called with the process id of a preloader that has just started.
    tell
        Takes a message for whoever has the pool that it names.
    changed
        Called with a shelf whose slots are born with something else now, or that is worth waiting for or not any more.
    over
        Called with the process id of a preloader that has ended.
    """

    def __init__(
        self,
        selector: BaseSelector,
        mark: Callable[[int], None],
        tell: Callable[[Message], None],
        changed: Callable[[Shelf], None],
        over: Callable[[int], None],
    ) -> None:
        self.stock = Stock(selector, mark, self._changed, over)
        self._tell = tell
        self._told = changed
        self._of: dict[str, Shelf] = {}
        self._waiting: dict[Key, tuple[Shelf, Callable[[], object]]] = {}

    def learn(self, message: Message, pools: Mapping[str, Pool]) -> None:
        """A kernel has imported more: for a pool of its own, or for one that it may start."""
        pool = pools.get(message.get("pool", ""))
        if pool is not None:
            if pool.config is not None:
                self.prepare(pool, message["preload"])
        elif "surroundings" in message:
            preload = message["preload"]
            surroundings = Surroundings.from_message(message["surroundings"])
            self.stock.want(surroundings, _chosen(preload), _libraries(preload))

    def prepare(self, pool: Pool, preload: Message | None) -> None:
        """Have the slots of a pool be born with what its kernel names; None keeps what was named before."""
        if preload is not None:
            pool.preload = _libraries(preload)
            pool.chosen = _chosen(preload)
        if not pool.preload or pool.config is None:
            return
        shelf = self.stock.want(Surroundings.of(pool.config), pool.chosen, pool.preload)
        if shelf is not None and self._of.get(pool.key) is not shelf:
            self._of[pool.key] = shelf
            self._tell_of(pool.key, shelf)
        if shelf is not None:
            self._told(shelf)

    def when_ready(self, pool: Pool | None, config: AgentConfig, key: Key, go: Callable[[], object]) -> None:
        """Call `go` once what a session is born with is there, or has taken too long; at once without any."""
        shelf = self.shelf(pool, config)
        if shelf is not None:
            self.stock.freshen(shelf)
        if shelf is None or not shelf.holds_up:
            go()
        else:
            self._waiting[key] = shelf, go

    def launch(
        self, pool: Pool | None, config: AgentConfig, label: str, sockets: Sequence[socket.socket], ends: Sequence[int]
    ) -> tuple[int, int]:
        """Fork a slot of a node that has its libraries; returns its process id and that of what it was forked from.

        Both are 0 where there is nothing to fork from.

        Raises
        ------
        OSError
            The system has no room for it.
        """
        shelf = self.shelf(pool, config)
        if shelf is None:
            return 0, 0
        self.stock.freshen(shelf)
        fds = [sock.fileno() for sock in sockets]
        stock = shelf.serving.pid if shelf.serving is not None else 0
        pid = self.stock.launch(shelf, config, label, (*fds, *ends), len(fds))
        return pid, stock if pid else 0

    def awaited(self, pool: Pool | None, config: AgentConfig) -> tuple[str, ...]:
        """Return the libraries that tasks of a node should wait for instead of importing them."""
        shelf = self.shelf(pool, config)
        return shelf.awaited if shelf is not None else ()

    def drop(self, *first: object) -> None:
        """Start nothing more whose key begins with `first`."""
        for key in [key for key in self._waiting if key[: len(first)] == first]:
            del self._waiting[key]

    def forget(self, key: str) -> None:
        """A pool is gone."""
        self._of.pop(key, None)

    def wait(self) -> float | None:
        """Seconds until `due` has something to say; None when nothing goes on."""
        return self.stock.wait()

    def due(self) -> list[Callable[[], object]]:
        """What is to be called now, once."""
        self.stock.due()
        ready = [key for key, (shelf, _) in self._waiting.items() if not shelf.holds_up]
        return [self._waiting.pop(key)[1] for key in ready]

    def shelf(self, pool: Pool | None, config: AgentConfig) -> Shelf | None:
        """Return what slots of a node are born with: nothing that was imported in other surroundings than theirs."""
        if pool is None or not pool.preload:
            return None
        return self.stock.shelf(Surroundings.of(config), pool.chosen)

    def _changed(self, shelf: Shelf) -> None:
        for key in [key for key, its in self._of.items() if its is shelf]:
            self._tell_of(key, shelf)
        self._told(shelf)

    def _tell_of(self, key: str, shelf: Shelf) -> None:
        again = [name for name in shelf.refused if name in shelf.again]
        told = {"libraries": list(shelf.loaded), "refused": shelf.refused, "again": again}
        self._tell({"op": "preloaded", "pool": key, **told})


def _chosen(preload: Message) -> tuple[str, ...] | None:
    return None if preload["chosen"] is None else tuple(preload["chosen"])


def _libraries(preload: Message) -> dict[str, tuple[str, ...]]:
    return {name: tuple(modules) for name, modules in preload["libraries"].items()}
