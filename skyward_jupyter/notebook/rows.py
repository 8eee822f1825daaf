"""Displays that stand side by side: the first one of each node in a row, the second ones in the next, and so on.

A row grows in its place while nodes display; equal displays are one, with the nodes of both. Only the last rows grow:
a display that belongs into one before them begins a row of its own. How often a row is drawn depends on its size.
"""

from __future__ import annotations

import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from skyward_jupyter.wire.events import Display

#: How many rows of a cell may still grow.
GROWING = 20
#: How many displays of a pool that can be updated are known.
UPDATABLE = 200
#: Bytes a second that drawing one row anew may send.
RATE = 2_000_000


@dataclass(slots=True)
class Figure:
    """A display in a row.

    Attributes
    ----------
    ranks
        The nodes it came from, ascending.
    name
        What it can be updated by; empty for a display that stays.
    cleared
        Whether its node has cleared its output: the node's next display takes its place.
    body
        It as HTML, once that was made.
    """

    ranks: list[int]
    data: Mapping[str, object]
    metadata: Mapping[str, object]
    name: str = ""
    cleared: bool = False
    body: str = ""


@dataclass(slots=True)
class Row:
    """Displays side by side, in node order.

    Attributes
    ----------
    id
        Unlike that of any other row.
    drawn
        How it is on the page: not at all, as the display of one node, or as a row.
    """

    id: str = field(default_factory=lambda: uuid.uuid4().hex)
    figures: list[Figure] = field(default_factory=list)
    drawn: str = ""

    @property
    def size(self) -> int:
        """About how many bytes it takes to draw it."""
        return sum(len(str(part)) for figure in self.figures for part in figure.data.values())

    def add(self, ranks: Iterable[int], event: Display) -> None:
        """Put a display into the row."""
        ranks = sorted(ranks)
        name = str(event.transient.get("display_id") or "")
        self._make_room(ranks)
        for figure in self.figures:
            if not (name or figure.name) and (figure.data, figure.metadata) == (event.data, event.metadata):
                figure.ranks = sorted({*figure.ranks, *ranks})
                break
        else:
            self.figures.append(Figure(ranks, event.data, event.metadata, name))
        self.figures.sort(key=lambda figure: figure.ranks)

    def update(self, rank: int, event: Display) -> None:
        """Replace what a node displayed under a name."""
        for figure in self.figures:
            if figure.name == event.transient.get("display_id") and rank in figure.ranks:
                figure.data, figure.metadata, figure.body = event.data, event.metadata, ""

    def clear(self, rank: int) -> None:
        """The node's part may be replaced."""
        for figure in list(self.figures):
            if rank in figure.ranks and not figure.cleared:
                self._take_out(figure, [rank])
                self.figures.append(Figure([rank], figure.data, figure.metadata, figure.name, cleared=True))
        self.figures.sort(key=lambda figure: figure.ranks)

    def fresh(self) -> Row:
        """A row that is not drawn yet, with what no node has cleared."""
        return Row(figures=[figure for figure in self.figures if not figure.cleared])

    def _make_room(self, ranks: list[int]) -> None:
        for figure in list(self.figures):
            if figure.cleared:
                self._take_out(figure, ranks)

    def _take_out(self, figure: Figure, ranks: list[int]) -> None:
        figure.ranks = [rank for rank in figure.ranks if rank not in ranks]
        if not figure.ranks:
            self.figures.remove(figure)


class Places:
    """Where displays are that can be updated, of all cells of a pool."""

    def __init__(self) -> None:
        self._rows: dict[tuple[int, str], list[Row]] = {}

    def put(self, ranks: Iterable[int], event: Display, row: Row) -> None:
        """Remember that a display is in a row."""
        for rank in ranks if (name := str(event.transient.get("display_id") or "")) else ():
            rows = self._rows.pop((rank, name), [])
            self._rows[rank, name] = rows if row in rows else [*rows[-9:], row]
        while len(self._rows) > UPDATABLE:
            del self._rows[next(iter(self._rows))]

    def find(self, event: Display) -> list[Row]:
        """The rows that have the display that is updated."""
        return self._rows.get((event.node, str(event.transient.get("display_id") or "")), [])


class Rows:
    """The rows of a cell."""

    def __init__(self, places: Places, clock: Callable[[], float] = time.monotonic) -> None:
        self._places = places
        self._clock = clock
        self._counts: Counter[int] = Counter()
        self._growing: dict[int, Row] = {}
        self._changed: dict[str, Row] = {}
        self._due: dict[str, float] = {}

    @property
    def waiting(self) -> bool:
        """Whether a row is to be drawn anew."""
        return bool(self._changed)

    def add(self, ranks: Iterable[int], event: Display) -> Row:
        """Put what these nodes display next into its row."""
        ranks = list(ranks)
        number = max(self._counts[rank] for rank in ranks) + 1
        self._counts.update({rank: number - self._counts[rank] for rank in ranks})
        row = self._growing.setdefault(number, Row())
        while len(self._growing) > GROWING:
            del self._growing[next(iter(self._growing))]
        row.add(ranks, event)
        self._places.put(ranks, event, row)
        self._changed[row.id] = row
        return row

    def update(self, event: Display) -> Row | None:
        """Update a display; returns the last row that has it, None when it is in no row."""
        rows = self._places.find(event)
        for row in rows:
            row.update(event.node, event)
            self._changed[row.id] = row
        return rows[-1] if rows else None

    def clear(self, rank: int) -> None:
        """A node has cleared what it displayed."""
        del self._counts[rank]
        for row in self._growing.values():
            row.clear(rank)

    def restart(self) -> list[Row]:
        """The page was cleared; returns the rows that have something new since their nodes asked for that."""
        self._changed.clear()
        self._growing = {number: row.fresh() for number, row in self._growing.items()}
        self._growing = {number: row for number, row in self._growing.items() if row.figures}
        for row in self._growing.values():
            for figure in row.figures:
                event = Display(figure.ranks[0], figure.data, figure.metadata, {"display_id": figure.name})
                self._places.put(figure.ranks, event, row)
        return list(self._growing.values())

    def drew(self, row: Row) -> None:
        """A row was drawn."""
        self._changed.pop(row.id, None)
        self._due[row.id] = self._clock() + row.size / RATE

    def due(self, *, last: bool = False) -> list[Row]:
        """The rows that changed and are to be drawn now; all of them, when it is the `last` time."""
        now = self._clock()
        return [row for row in self._changed.values() if last or self._due.get(row.id, 0.0) <= now]
