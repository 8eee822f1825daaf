"""What happens to a pool, in sentences of one line each: few, and worth reading in a log."""

from __future__ import annotations

import asyncio
import contextlib
import re
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterable

from skyward_jupyter.actors.source import Snapshot
from skyward_jupyter.notebook.ranks import spoken
from skyward_jupyter.widgets.static import duration

#: Seconds that a start may take without a word, where nothing else was asked for; and where all is to be said.
PATIENCE, EAGER = 2.0, 0.2
_WHY = re.compile(r"node (\d+) was lost \((.*)\) and is being replaced")
_UP = ("idle", "active")


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
        self._told = False
        self._ready = False
        self._size = 0
        self._pids: dict[int, int] = {}
        self._lost: set[int] = set()
        self._why: dict[int, str] = {}
        self._note = ""
        self._starting: asyncio.TimerHandle | None = None
        self._last: Snapshot | None = None

    def show(self, snapshot: Snapshot) -> None:
        """Take the pool's slow state."""
        self._last = snapshot
        match snapshot["state"]:
            case "starting" if self._starting is None and not self._drawn:
                after = EAGER if self._everything else PATIENCE
                self._starting = asyncio.get_running_loop().call_later(after, self._still_starting)
            case "ready":
                self._tell_ready(snapshot)
        if snapshot["state"] in ("starting", "ready", "failed"):
            self._tell_nodes(snapshot)
            self._tell_note(snapshot)

    def close(self, snapshot: Snapshot) -> None:
        """Take the final state. A start that failed is told by its exception."""
        self._no_timer()
        if not self._drawn and (self._told or (self._ready and self._everything)):
            self._tell(snapshot, f"{snapshot['state']} after {duration(time.time() - snapshot['started'])}")

    def _still_starting(self) -> None:
        if self._last is not None and self._last["state"] == "starting":
            self._tell(self._last, f"starting {_nodes(len(self._last['nodes']))}")

    def _tell_ready(self, snapshot: Snapshot) -> None:
        self._no_timer()
        count = len(snapshot["nodes"])
        up = {node["rank"] for node in snapshot["nodes"] if node["state"] in _UP}
        if not self._ready:
            self._ready, self._size = True, count
            took = time.time() - snapshot["started"]
            if self._everything or (not self._drawn and (self._told or took > PATIENCE)):
                self._tell(snapshot, f"{_nodes(count)} ready in {took:.1f} s")
        elif count != self._size and len(up) == count:
            self._size = count
            if self._everything:
                self._tell(snapshot, f"{_nodes(count)} now")

    def _tell_nodes(self, snapshot: Snapshot) -> None:
        """A node that ran and is being started again was lost; one that leaves a smaller pool was not."""
        nodes = {node["rank"]: node for node in snapshot["nodes"]}
        self._pids = {rank: pid for rank, pid in self._pids.items() if rank in nodes}
        self._why |= {rank: node["phase"] for rank, node in nodes.items() if node["state"] == "lost"}
        up = {rank for rank, node in nodes.items() if node["state"] in _UP}
        lost = self._newly_lost(snapshot)
        for why, ranks in self._by_reason(lost, snapshot["note"]).items():
            one = len(ranks) == 1
            fate = f"{'was' if one else 'were'} lost{why}, {'another is' if one else 'others are'} started"
            self._tell(snapshot, f"{spoken(ranks)} {fate}")
        back = (self._lost | lost) & up
        if back:
            self._tell(snapshot, f"{spoken(back)} {'is' if len(back) == 1 else 'are'} back")
        self._lost = ((self._lost | lost) & nodes.keys()) - back
        self._pids = {rank: pid for rank, pid in self._pids.items() if rank not in lost}
        self._pids |= {rank: nodes[rank]["pid"] for rank in up}

    def _newly_lost(self, snapshot: Snapshot) -> set[int]:
        """Nodes that are being started again, or already were, and one noted: it may not have been seen up at all."""
        lost = set()
        for node in snapshot["nodes"]:
            before = self._pids.get(node["rank"])
            replaced = node["state"] in _UP and node["pid"] != before
            if before is not None and (node["state"] == "waiting" or replaced):
                lost.add(node["rank"])
        noted = _WHY.fullmatch(snapshot["note"]) if snapshot["note"] != self._note else None
        present = {node["rank"] for node in snapshot["nodes"] if node["state"] != "lost"}
        if noted and int(noted[1]) in present:
            lost.add(int(noted[1]))
        return lost - self._lost

    def _by_reason(self, ranks: Iterable[int], note: str) -> dict[str, list[int]]:
        noted = _WHY.fullmatch(note)
        reasons: dict[str, list[int]] = defaultdict(list)
        for rank in sorted(ranks):
            why = self._why.pop(rank, "") or (noted[2] if noted and int(noted[1]) == rank else "")
            reasons[f" ({why})" if why else ""].append(rank)
        return reasons

    def _tell_note(self, snapshot: Snapshot) -> None:
        note, self._note = self._note, snapshot["note"]
        if self._note and self._note != note and not _WHY.fullmatch(self._note):
            self._tell(snapshot, self._note)

    def _tell(self, snapshot: Snapshot, what: str) -> None:
        self._told = True
        self._say(f"pool {snapshot['pool']}: {what}")

    def _no_timer(self) -> None:
        if self._starting is not None:
            self._starting.cancel()


def _nodes(count: int) -> str:
    return f"{count} node{'s' * (count != 1)}"


def to_stderr(sentence: str) -> None:
    """Write a line where logs are; a program without such a stream does without."""
    with contextlib.suppress(AttributeError, OSError, ValueError):
        sys.stderr.write(f"{sentence}\n")
        sys.stderr.flush()
