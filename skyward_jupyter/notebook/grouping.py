"""Output of many nodes, merged and labelled while it comes.

Events are gathered for a tick and written together. With ``same``, equal lines that several nodes wrote within a tick
become one with the nodes before it, and what several nodes display stands side by side; with ``time`` every line and
display stands alone, in the order it came; with ``node`` each node's lines and displays stay together, in node order:
as text while they come, as what they are at the end. Memory and the amount shown are bounded: what is left out is
counted, and the count shown.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Hashable, Iterable, Mapping
from itertools import count

from skyward_jupyter.notebook.bars import Bars
from skyward_jupyter.notebook.leftout import sentence
from skyward_jupyter.notebook.lines import LineReader
from skyward_jupyter.notebook.logbook import LINES, LogBook
from skyward_jupyter.notebook.pacing import CELL_LIMIT, Entry, Pace, Skipped, in_few_turns
from skyward_jupyter.notebook.ranks import label
from skyward_jupyter.notebook.rowpage import fits
from skyward_jupyter.notebook.rows import Places, Row, Rows
from skyward_jupyter.notebook.screen import Screen
from skyward_jupyter.notebook.sections import Sections
from skyward_jupyter.wire.events import Clear, Display, Dropped, Output, TaskEvent
from skyward_jupyter.wire.progress import bars_in

#: Seconds that output is gathered for.
TICK = 0.08
#: Nodes begin a cell at different moments: so many ticks the first lines wait for those not heard of yet.
PATIENCE = 5
#: At most this many lines are written in a tick.
LINES_A_TICK = 5000
_LONGEST = 20_000
_PIECE = 32_000


class Grouped:
    """The output of one cell.

    Parameters
    ----------
    screen
        Where to write.
    ranks
        The nodes it comes from; with a single one nothing is labelled and text passes as it is.
    how
        ``same``, ``time`` or ``node``.
    later
        Calls a function after so many seconds, as an event loop's ``call_later`` does.
    log, bars
        Where all lines and all progress bars are kept, shown or not.
    name
        Gives what ``%sky logs`` knows the run by.
    """

    def __init__(
        self,
        screen: Screen,
        ranks: Iterable[int],
        how: str,
        later: Callable[[float, Callable[[], None]], object],
        log: LogBook | None = None,
        bars: Bars | None = None,
        name: Callable[[], str] = str,
    ) -> None:
        self._screen = screen
        self._log = log if log is not None else LogBook()
        self._bars = bars if bars is not None else Bars()
        self._name = name
        self._pace = Pace()
        self._ranks = sorted(ranks)
        self._alone = len(self._ranks) == 1
        self._raw = self._alone and screen.raw
        self._how = how
        self._later = later
        self._ticking = False
        self._patience = PATIENCE
        self._heard: set[int] = set()
        self._readers: dict[tuple[int, str], LineReader] = {}
        self._pending: dict[Hashable, Entry] = {}
        self._numbers = count()
        self._gathered = 0
        self._seen: Counter[Hashable] = Counter()
        self._places: Counter[int] = Counter()
        self._flood = Skipped.for_a_moment()
        self._flooded: deque[tuple[int, str, str]] = deque(maxlen=LINES)
        self._skipped = Skipped.for_a_moment()
        self._left_out = Skipped()
        self._sections = Sections(self._ranks, name)
        self._rows = Rows(screen.places or Places())
        self._beside = how == "same" and not self._alone and screen.places is not None
        self._drawn: dict[str, str] = {}
        self._cleared: set[int] = set()

    def take(self, event: TaskEvent) -> None:
        """Take one event of a node."""
        self._heard.add(event.node)
        match event:
            case Output(node, stream, text):
                self._text(node, stream, text)
            case Display():
                self._display(event)
            case Dropped(node):
                self._gap(node, event)
            case Clear(node, wait):
                self._clear(node, wait)
        if not self._ticking:
            self._tick_later()

    def end(self) -> None:
        """Write all there is left, unfinished lines too, and what was left out."""
        for (node, stream), reader in self._readers.items():
            for line in reader.end():
                self._line(node, stream, line)
        self._bars.end()
        self.flush()
        self._write(self._pace.rest())
        self._draw_rows(last=True)
        self._write_skipped(self._left_out)
        self._settle_sections()
        if self._pace.late:
            self._screen.write("stderr", f"… {self._pace.late:,} displays not shown …\n")
        self._log.close()

    def flush(self) -> None:
        """Write what was gathered."""
        if len(self._cleared) == len(self._ranks):
            self._screen.clear(True)
            self._bars.clear()
            self._cleared.clear()
            self._drawn.clear()
            for row in self._rows.restart():
                self._draw_row(row)
        entries, self._pending, self._gathered = list(self._pending.values()), {}, 0
        if self._how == "same":
            entries.sort(key=lambda entry: (entry.place, min(entry.ranks)))
        self._seen.clear()
        self._places.clear()
        self._record(entries)
        self._record_flood()
        self._write(self._pace.let_through(entries, self._skipped, self._left_out))
        self._draw_rows()
        self._write_skipped(self._skipped)
        self._write_skipped(self._flood)
        self._draw()

    def _tick(self) -> None:
        if self._how == "same" and self._patience and len(self._heard) < len(self._ranks):
            self._patience -= 1
            self._later(TICK, self._tick)
            return
        self._ticking = False
        self.flush()
        if self._pace.holds or self._rows.waiting:
            self._tick_later()

    def _tick_later(self) -> None:
        self._ticking = True
        self._later(TICK, self._tick)

    def _text(self, node: int, stream: str, text: str) -> None:
        if self._raw:
            self._raw_text(node, stream, text)
            return
        reader = self._readers.setdefault((node, stream), LineReader())
        for line in reader.feed(text):
            self._line(node, stream, line)

    def _gap(self, node: int, event: Dropped) -> None:
        """Say what is missing where it is missing: a line that was begun before it ends there."""
        if self._raw:
            self._raw_text(node, "stderr", f"[node {node}] {event}\n")
            return
        for (rank, stream), reader in self._readers.items():
            if rank == node:
                for line in reader.end():
                    self._line(node, stream, line)
        self._line(node, "stderr", f"[node {node}] {event}" if self._alone else str(event))

    def _raw_text(self, node: int, stream: str, text: str) -> None:
        self._log.feed(node, stream, text)
        last = next(reversed(self._pending.values()), None)
        if last is None or last.event is not None or last.stream != stream or len(last.text) > _PIECE:
            last = Entry(stream, "", [node])
            if self._gathered > CELL_LIMIT:
                last.text = text
                self._flood.add(last)
                return
            self._pending[next(self._numbers)] = last
        last.text += text
        self._gathered += len(text)

    def _line(self, node: int, stream: str, line: str) -> None:
        if len(line) > _LONGEST:
            line = f"{line[:_LONGEST]} … {len(line) - _LONGEST:,} characters not shown"
        if self._how == "node":
            self._sections.line(node, line)
            self._log.add([node], stream, line)
            return
        key = self._key(node, (stream, line))
        if key not in self._pending and len(self._pending) >= LINES_A_TICK:
            self._flood.add(Entry(stream, line + "\n", [node]))
            self._flooded.append((node, stream, line))
        else:
            self._add(node, key, Entry(stream, line + "\n"))

    def _key(self, node: int, what: Hashable) -> Hashable:
        """Equal for what counts as the same output of several nodes within a tick."""
        if self._how != "same":
            return next(self._numbers)
        self._seen[node, what] += 1
        return what, self._seen[node, what]

    def _display(self, event: Display) -> None:
        if bars := bars_in(event.data):
            self._bars.take(event.node, bars)
            return
        if self._how == "node" and not self._alone and self._sections.display(event):
            return
        if event.update:
            key: Hashable = (event.node, event.transient.get("display_id"))
            self._pending.pop(key, None)  # only the last state of a tick is of interest
        else:
            key = self._key(event.node, _identity(event))
        self._add(event.node, key, Entry("", "", event=event))

    def _add(self, node: int, key: Hashable, new: Entry) -> None:
        """Put a node's next piece of output with the same piece of others, or where it stands in the node's own."""
        entry = self._pending.setdefault(key, new)
        entry.ranks.append(node)
        entry.place = max(entry.place, self._places[node])
        self._places[node] += 1

    def _clear(self, node: int, wait: bool) -> None:
        """Forget what the node wrote; the cell is cleared once all its nodes ask for it."""
        for key, entry in list(self._pending.items()):
            entry.ranks = [rank for rank in entry.ranks if rank != node]
            if not entry.ranks:
                del self._pending[key]
        self._sections.clear(node)
        self._rows.clear(node)
        if node not in self._cleared:
            self._cleared.add(node)

    def _record_flood(self) -> None:
        """Put into the log what was too much to be shown; where that is more than it keeps, the rest is missing."""
        if not self._raw:
            self._log.miss(self._flood.lines - len(self._flooded))
        for node, stream, line in self._flooded:
            self._log.add([node], stream, line)
        self._flooded.clear()

    def _record(self, entries: Iterable[Entry]) -> None:
        """Put text into the log; that of a node that is alone is there already."""
        if self._raw:
            return
        for entry in entries:
            if entry.event is None:
                self._log.add(entry.ranks, entry.stream, entry.text)

    def _write(self, entries: Iterable[Entry]) -> None:
        entries = in_few_turns(list(entries))
        placed = {id(entry): self._in_row(entry.ranks, entry.event) for entry in entries if entry.event is not None}
        text: list[str] = []
        stream = "stdout"
        for entry in entries:
            row = placed.get(id(entry))
            if row is not None and row.drawn:
                continue
            if entry.event is not None or entry.stream != stream:
                self._put(stream, text)
                stream = entry.stream or stream
            if row is not None:
                self._draw_row(row)
            elif entry.event is not None:
                self._screen.publish(entry.ranks, entry.event, not self._alone)
            else:
                text.append(f"{self._label(entry.ranks)}{entry.text}")
        self._put(stream, text)

    def _in_row(self, ranks: list[int], event: Display) -> Row | None:
        """The row that has what these nodes display, or that had what it updates; None for what stands alone."""
        if event.update:
            return self._rows.update(event)
        return self._rows.add(ranks, event) if self._beside and fits(event.data) else None

    def _draw_row(self, row: Row) -> None:
        self._screen.row(row)
        self._rows.drew(row)

    def _draw_rows(self, *, last: bool = False) -> None:
        """Draw rows that have changed, as often as their size allows."""
        for row in self._rows.due(last=last):
            self._draw_row(row)

    def _label(self, ranks: list[int]) -> str:
        return "" if self._alone else f"{label(ranks)} "

    def _write_skipped(self, skipped: Skipped) -> None:
        """Write how much was skipped, and the last of it."""
        if not skipped.lines:
            return
        if skipped.hidden > 0:
            self._screen.write("stderr", f"{sentence(skipped.hidden, self._name())}\n")
        for entry in skipped.tail:
            self._pace.charge(entry.text)
        self._write(skipped.tail)
        skipped.clear()
        self._screen.crowded()

    def _put(self, stream: str, text: list[str]) -> None:
        if text:
            self._screen.write(stream, "".join(text))
            text.clear()

    def _draw(self) -> None:
        """Bring the places up to date that replace their text: progress, and sections by node."""
        self._bars.draw([f"{self._label(ranks)}{row}" for row, ranks in self._redrawn()])
        bars = self._bars.lines(each=self._how == "node", labelled=not self._alone) if self._bars else []
        self._draw_one("progress", bars)
        if self._how == "node":
            self._draw_one("nodes", self._sections.rows())

    def _redrawn(self) -> list[tuple[str, list[int]]]:
        """The rows that nodes redraw by themselves, with their nodes: equal ones together, as other lines are."""
        rows: dict[Hashable, tuple[str, list[int]]] = {}
        for (node, stream), reader in sorted(self._readers.items()):
            seen: Counter[str] = Counter()
            for row in reader.live.shown():
                seen[row] += 1
                key = (row, seen[row]) if self._how == "same" else (row, seen[row], node, stream)
                rows.setdefault(key, (row, []))[1].append(node)
        return list(rows.values())

    def _draw_one(self, key: str, rows: list[str]) -> None:
        text = "\n".join(rows)
        if text and self._drawn.get(key) != text:
            self._drawn[key] = text
            self._screen.live(key, text)

    def _settle_sections(self) -> None:
        """Put displays where they belong among the lines of their nodes; the first lines stay in their place."""
        if not self._sections.displays:
            return
        for number, (rank, piece) in enumerate(self._sections.pieces()):
            if isinstance(piece, Display):
                self._screen.publish([rank], piece, not self._screen.raw)
            elif not self._screen.raw:
                continue  # a run in the background has a place of its own for displays
            elif number:
                self._screen.bundle({"text/plain": piece}, {})
            else:
                self._screen.settle("nodes", piece)


def _identity(event: Display) -> Hashable:
    """Equal for displays that look the same; one that will be updated is like no other."""
    if event.update or event.transient.get("display_id"):
        return event.node, id(event)
    return _frozen(event.data), _frozen(event.metadata)


def _frozen(bundle: Mapping[str, object]) -> Hashable:
    items = ((kind, value if isinstance(value, str | bytes) else repr(value)) for kind, value in bundle.items())
    return tuple(sorted(items, key=lambda item: item[0]))
