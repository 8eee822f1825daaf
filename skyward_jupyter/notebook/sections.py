"""What each node wrote and displayed, one node after the other: ``--group node``.

It is bounded: of a node the last lines are kept, and of its displays the last few; what went is counted.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator

from skyward_jupyter.notebook.leftout import sentence
from skyward_jupyter.notebook.ranks import label
from skyward_jupyter.wire.events import Display

#: How many of the last lines of a node are kept.
NODE_LINES = 500
#: How many displays of all nodes together.
DISPLAYS = 300

type Piece = str | Display


class Sections:
    """The sections of some nodes, in their order."""

    def __init__(self, ranks: Iterable[int], name: Callable[[], str] = str) -> None:
        self._name = name
        self._kept: dict[int, deque[Piece]] = {rank: deque() for rank in ranks}
        self._most = max(DISPLAYS // max(len(self._kept), 1), 1)
        self._lines: Counter[int] = Counter()
        self._displays: Counter[int] = Counter()
        self._hidden: dict[str, Counter[int]] = {"lines": Counter(), "displays": Counter()}

    @property
    def displays(self) -> bool:
        """Whether a node displayed something."""
        return any(self._displays.values())

    def line(self, rank: int, line: str) -> None:
        """Add a line to a node's section."""
        self._kept[rank].append(line)
        self._lines[rank] += 1
        if self._lines[rank] > NODE_LINES:
            self._forget(rank, str, self._lines, "lines")

    def display(self, event: Display) -> bool:
        """Add a display, or update the one of its name; False when that one is not here."""
        kept = self._kept[event.node]
        if event.update:
            return self._update(kept, event)
        kept.append(event)
        self._displays[event.node] += 1
        if self._displays[event.node] > self._most:
            self._forget(event.node, Display, self._displays, "displays")
        return True

    def clear(self, rank: int) -> None:
        """Forget a node's section."""
        self._kept[rank].clear()
        for count in (self._lines, self._displays, *self._hidden.values()):
            count.pop(rank, None)

    def rows(self) -> list[str]:
        """All of it as lines; in the place of a display, its text."""
        rows: list[str] = []
        for rank, kept in self._kept.items():
            rows += self._head(rank)
            for piece in kept:
                rows += [f"  {row}" for row in _text(piece).split("\n")]
        return rows

    def pieces(self) -> Iterator[tuple[int, Piece]]:
        """All of it, with its node: text, and between it the displays where they belong."""
        for rank, kept in self._kept.items():
            rows = self._head(rank)
            for piece in kept:
                if isinstance(piece, str):
                    rows.append(f"  {piece}")
                    continue
                if rows:
                    yield rank, "\n".join(rows)
                    rows = []
                yield rank, piece
            if rows:
                yield rank, "\n".join(rows)

    def _head(self, rank: int) -> list[str]:
        if not self._kept[rank]:
            return []
        lines, displays = (self._hidden[what][rank] for what in ("lines", "displays"))
        gone = [f"  {sentence(lines, self._name())}"] if lines else []
        gone += [f"  … {displays:,} displays not shown"] if displays else []
        return [label([rank]), *gone]

    def _forget(self, rank: int, kind: type[object], count: Counter[int], what: str) -> None:
        """Forget the oldest line or display of a node."""
        kept = self._kept[rank]
        del kept[next(place for place, piece in enumerate(kept) if isinstance(piece, kind))]
        count[rank] -= 1
        self._hidden[what][rank] += 1

    @staticmethod
    def _update(kept: deque[Piece], event: Display) -> bool:
        name = event.transient.get("display_id")
        for place, piece in enumerate(kept):
            if isinstance(piece, Display) and piece.transient.get("display_id") == name:
                kept[place] = Display(event.node, event.data, event.metadata, piece.transient)
                return True
        return False


def _text(piece: Piece) -> str:
    return piece if isinstance(piece, str) else str(piece.data.get("text/plain", "(a display)"))
