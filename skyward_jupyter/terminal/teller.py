"""What happens to a pool, in sentences of one line each: few, and worth reading in a log.

It is told from the pool's events. Nodes that are lost together, or are back together, are one sentence: such events are
kept for a moment.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections import defaultdict
from collections.abc import Callable

from skyward_jupyter.actors.source import PanelSource, Snapshot
from skyward_jupyter.events import (
    Event,
    NodeGivenUp,
    NodeLost,
    NodeReady,
    NodeReplaced,
    NodeStopped,
    PoolResized,
    PoolState,
)
from skyward_jupyter.notebook.ranks import spoken
from skyward_jupyter.widgets.static import duration

#: Seconds that a start may take without a word, where nothing else was asked for; and where all is to be said.
PATIENCE, EAGER = 2.0, 0.2
#: Seconds for which what happens to several nodes at once is collected.
TOGETHER = 0.1
#: What it wants to hear.
KINDS = (PoolState, PoolResized, NodeReady, NodeLost, NodeReplaced, NodeGivenUp, NodeStopped)


class Teller:
    """Tells of one pool. Called on the runtime's loop only.

    Parameters
    ----------
    say
        Takes a sentence.
    everything
        Whether to tell also of what went well and was quick.
    drawn
        Whether the pool is drawn too: then starts and ends, which are seen, are not told.
    """

    def __init__(self, say: Callable[[str], None], *, everything: bool = False, drawn: bool = False) -> None:
        self._say = say
        self._everything = everything
        self._drawn = drawn
        self._pool = ""
        self._started = 0.0
        self._told = self._ready = False
        self._wanted = self._size = 0
        self._up: set[int] = set()
        self._lost: dict[int, str] = {}
        self._back: set[int] = set()
        self._starting: asyncio.TimerHandle | None = None
        self._together: asyncio.TimerHandle | None = None

    def follow(self, source: PanelSource) -> None:
        """Tell of a pool from now on, until it is over."""
        self.begin(source.snapshot())
        source.listen(KINDS, self.hear)

    def begin(self, snapshot: Snapshot) -> None:
        """Know a pool that is there already, or is being started."""
        self._pool, self._started = snapshot["pool"], snapshot["started"]
        if snapshot["state"] == "starting" and not self._drawn:
            after = EAGER if self._everything else PATIENCE
            self._starting = asyncio.get_running_loop().call_later(after, self._still_starting)

    def hear(self, event: Event) -> None:
        """Take an event of the pool."""
        match event:
            case PoolState(state="ready") if not self._ready:
                self._tell_ready(event.at)
            case PoolState(state="taken"):
                self._up.clear()  # another kernel has them now, which is no loss
            case PoolState(state="stopped"):
                self._tell_end(event.at)
            case PoolResized(nodes=nodes):
                self._wanted = nodes
                self._tell_size()
            case NodeReady(node=node):
                self._up.add(node)
                self._tell_size()
            case NodeStopped(node=node):
                self._up.discard(node)
                self._tell_size()
            case NodeLost(node=node, why=why):
                self._lose(node, why)
            case NodeReplaced(node=node):
                self._back.add(node)
                self._soon()
            case NodeGivenUp(node=node):
                self._lost.pop(node, None)
                if self._ready:
                    self._tell(event.sentence)

    def _lose(self, node: int, why: str) -> None:
        """One that was never ready is tried again, without a word until it is given up."""
        if node in self._up:
            self._up.discard(node)
            if node in self._lost or node in self._back:  # lost again: what is to be said of it is said first
                self._tell_nodes()
            self._lost[node] = why
            self._soon()

    def _still_starting(self) -> None:
        if not self._ready:
            self._tell(f"starting {_nodes(self._wanted)}")

    def _tell_ready(self, at: float) -> None:
        self._no_timers()
        self._ready, self._size = True, len(self._up)
        took = at - self._started
        if self._everything or (not self._drawn and (self._told or took > PATIENCE)):
            self._tell(f"{_nodes(self._size)} ready in {took:.1f} s")

    def _tell_size(self) -> None:
        if self._ready and len(self._up) == self._wanted != self._size:
            self._size = self._wanted
            if self._everything:
                self._tell(f"{_nodes(self._size)} now")

    def _tell_end(self, at: float) -> None:
        """A start that failed is told by its exception."""
        self._no_timers()
        self._tell_nodes()
        if not self._drawn and (self._told or (self._ready and self._everything)):
            self._tell(f"stopped after {duration(at - self._started)}")

    def _soon(self) -> None:
        if self._together is None:
            self._together = asyncio.get_running_loop().call_later(TOGETHER, self._tell_nodes)

    def _tell_nodes(self) -> None:
        """Who was lost, those with the same reason together, and then who is back."""
        if self._together is not None:
            self._together.cancel()
            self._together = None
        reasons: dict[str, list[int]] = defaultdict(list)
        for node, why in sorted(self._lost.items()):
            reasons[why].append(node)
        back = sorted(self._back)
        self._lost.clear()
        self._back.clear()
        for why, nodes in reasons.items():
            one = len(nodes) == 1
            fate = f"{'was' if one else 'were'} lost ({why}), {'another is' if one else 'others are'} started"
            self._tell(f"{spoken(nodes)} {fate}")
        if back:
            self._tell(f"{spoken(back)} {'is' if len(back) == 1 else 'are'} back")

    def _tell(self, what: str) -> None:
        self._told = True
        self._say(f"pool {self._pool}: {what}")

    def _no_timers(self) -> None:
        if self._starting is not None:
            self._starting.cancel()


def _nodes(count: int) -> str:
    return f"{count} node{'s' * (count != 1)}"


def to_stderr(sentence: str) -> None:
    """Write a line where logs are; a program without such a stream does without."""
    with contextlib.suppress(AttributeError, OSError, ValueError):
        sys.stderr.write(f"{sentence}\n")
        sys.stderr.flush()
