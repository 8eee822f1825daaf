"""What a cell waits for, said in the cell after a moment and taken away when it runs.

Nothing of it stays in the notebook. Where the cell has shown something else meanwhile, an output that is empty does.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import TYPE_CHECKING

from skyward_jupyter.notebook import pools
from skyward_jupyter.notebook.placing import CellPlace
from skyward_jupyter.notebook.ranks import spoken
from skyward_jupyter.runtime import telling
from skyward_jupyter.runtime.cells import kernel_shell

if TYPE_CHECKING:
    from skyward_jupyter.actors.desk import TaskEntry

#: Seconds of a wait before anything is said, and between two looks from then on.
AFTER, EVERY = 1.0, 0.2
#: So many reasons are said, more are counted.
REASONS = 3
_LABEL = 40
_UP = ("idle", "active")


class Waits:
    """The line of one cell. Used on the runtime's loop.

    Parameters
    ----------
    reason
        For what it waits now; empty when for nothing.
    alone
        Whether nothing but the line is in the cell.
    """

    def __init__(self, reason: Callable[[], str], alone: Callable[[], bool]) -> None:
        self._reason = reason
        self._alone = alone
        self._next: asyncio.TimerHandle | None = None
        self._place: CellPlace | None = None
        self._text = ""

    def begin(self) -> None:
        """A wait may begin."""
        if self._next is None:
            self._next = asyncio.get_running_loop().call_later(AFTER, self._look)

    def look(self) -> None:
        """Something has changed: take away what is not true any more."""
        if self._text and not self._reason():
            self._say("")

    def end(self) -> None:
        """It is over."""
        if self._next is not None:
            self._next.cancel()
            self._next = None
        self._say("")

    def _look(self) -> None:
        self._say(self._reason())
        self._next = asyncio.get_running_loop().call_later(EVERY, self._look) if self._text else None

    def _say(self, text: str) -> None:
        if text == self._text:
            return
        if kernel_shell() is None:
            if not self._text:
                telling.tell(self._line)
            elif not text:
                telling.tell_no_more(self._line)
        elif text:
            self._place = self._place or CellPlace()
            self._place.show(text)
        elif self._place is not None:
            self._place.leave(alone=self._alone())
            self._place = None
        self._text = text

    def _line(self) -> str:
        return self._text


def for_pool(name: str | None) -> str:
    """For what a cell waits that has no nodes yet."""
    running = [pool for pool in pools.running() if name in (None, pool.name)]
    if not running:
        return "waiting for a pool to start"
    pool = running[-1]
    ready = sum(node.state in _UP for node in pool.nodes)
    if pool.state == "ready" and ready == len(pool.nodes):
        return ""
    return f"waiting for pool {pool.name}: {ready} of {len(pool.nodes)} nodes ready"


def for_nodes(pool: pools.Pool, ranks: Iterable[int], mine: Collection[int]) -> str:
    """For what the parts of a cell wait that go to sessions: what these do first, or nodes that are not there.

    Parameters
    ----------
    mine
        The numbers of the cell's own runs; it stands behind all runs while it has none.
    """
    first = _first_of_others(pool, mine)
    nodes = {node.rank: node for node in pool.nodes}
    reasons: dict[int, str] = {}
    for rank in ranks:
        if (entry := first.get(rank)) is not None:
            reasons[rank] = f"busy with run r{entry.run}{_called(entry.label)}"
        elif rank in nodes and nodes[rank].state not in _UP:
            reasons[rank] = nodes[rank].doing.partition("\n")[0]
    return _sentence(reasons)


def _first_of_others(pool: pools.Pool, mine: Collection[int]) -> dict[int, TaskEntry]:
    """By node, what its session has before the cell."""
    first: dict[int, TaskEntry] = {}
    for entry in pool._inner.hub.desk.tasks.values():
        if not entry.session or entry.rank is None or entry.outcome.done() or entry.run in mine:
            continue
        if mine and entry.id > min(mine):
            continue
        known = first.get(entry.rank)
        if known is None or entry.id < known.id:
            first[entry.rank] = entry
    return first


def _sentence(reasons: Mapping[int, str]) -> str:
    ranks: defaultdict[str, list[int]] = defaultdict(list)
    for rank, reason in sorted(reasons.items()):
        ranks[reason].append(rank)
    said = [f"{spoken(found)}: {reason}" for reason, found in ranks.items()]
    more = [f"{len(said) - REASONS} more"] if len(said) > REASONS else []
    return f"waiting for {'; '.join([*said[:REASONS], *more])}" if said else ""


def _called(label: str) -> str:
    """What a run is, in parentheses."""
    if not label:
        return ""
    return f" ({label if len(label) <= _LABEL else f'{label[:_LABEL].rstrip()} …'})"
