"""Output of many nodes, merged and labelled while it comes.

Events are gathered for a tick and written together. With ``same``, equal lines that several nodes wrote within a tick
become one with the nodes before it; with ``time`` every line stands alone, in the order it came; with ``node`` each
node's lines stay together. Memory and the amount shown are bounded: what is left out is counted, and the count shown.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from skyward_jupyter.notebook.lines import LineReader
from skyward_jupyter.notebook.ranks import label
from skyward_jupyter.wire.events import Clear, Display, Dropped, Output, TaskEvent

#: Seconds that output is gathered for.
TICK = 0.08
#: Nodes begin a cell at different moments: so many ticks the first lines wait for those not heard of yet.
PATIENCE = 5
#: At most this many lines are written in a tick, and this many characters in a cell;
LINES_A_TICK = 5000
CELL_LIMIT = 4_000_000
#: of what is beyond, this many of the last lines.
TAIL = 50
#: How many of the last lines of a node are kept where nodes are kept apart.
NODE_LINES = 500
_LONGEST = 20_000


class Screen(Protocol):
    """Where output goes: the cell, or the display of a run in the background.

    Attributes
    ----------
    raw
        Whether text of a single node may go there as it is, carriage returns included.
    """

    raw: bool

    def write(self, stream: str, text: str) -> None:
        """Text of a stream."""
        ...

    def publish(self, ranks: Iterable[int], event: Display, labelled: bool) -> None:
        """A MIME bundle that these nodes displayed."""
        ...

    def live(self, key: str, text: str) -> None:
        """Text in a place of its own, which this replaces."""
        ...

    def clear(self, wait: bool) -> None:
        """Clear what was written."""
        ...


@dataclass(slots=True)
class _Entry:
    stream: str
    text: str
    ranks: list[int] = field(default_factory=list)
    event: Display | None = None
    place: int = 0


class _Skipped:
    """Lines that are not shown: how many, and the last of them."""

    def __init__(self) -> None:
        self.lines = 0
        self.tail: deque[_Entry] = deque(maxlen=TAIL)

    def add(self, entry: _Entry) -> None:
        """Take one that is not shown now."""
        entry.text = entry.text[-_LONGEST:]
        self.tail.append(entry)
        self.lines += max(entry.text.count("\n"), 1)


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
    """

    def __init__(
        self, screen: Screen, ranks: Iterable[int], how: str, later: Callable[[float, Callable[[], None]], object]
    ) -> None:
        self._screen = screen
        self._ranks = sorted(ranks)
        self._alone = len(self._ranks) == 1
        self._raw = self._alone and screen.raw
        self._how = how
        self._later = later
        self._ticking = False
        self._patience = PATIENCE
        self._heard: set[int] = set()
        self._readers: dict[tuple[int, str], LineReader] = {}
        self._pending: dict[Hashable, _Entry] = {}
        self._seen: Counter[Hashable] = Counter()
        self._places: Counter[int] = Counter()
        self._written = 0
        self._skipped = _Skipped()
        self._left_out = _Skipped()
        self._sections: dict[int, deque[str]] = {rank: deque(maxlen=NODE_LINES) for rank in self._ranks}
        self._section_lines: Counter[int] = Counter()
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
            self._ticking = True
            self._later(TICK, self._tick)

    def end(self) -> None:
        """Write all there is left, unfinished lines too, and what was left out."""
        for (node, stream), reader in self._readers.items():
            for line in reader.end():
                self._line(node, stream, line)
        self.flush()
        self._write_skipped(self._left_out)

    def flush(self) -> None:
        """Write what was gathered."""
        if len(self._cleared) == len(self._ranks):
            self._screen.clear(True)
            self._cleared.clear()
            self._drawn.clear()
        entries, self._pending = list(self._pending.values()), {}
        if self._how == "same":
            entries.sort(key=lambda entry: (entry.place, min(entry.ranks)))
        self._seen.clear()
        self._places.clear()
        self._write(self._within_limit(entries))
        self._write_skipped(self._skipped)
        self._draw()

    def _tick(self) -> None:
        if self._how == "same" and self._patience and len(self._heard) < len(self._ranks):
            self._patience -= 1
            self._later(TICK, self._tick)
            return
        self._ticking = False
        self.flush()

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
        last = next(reversed(self._pending.values()), None)
        if last is None or last.event is not None or last.stream != stream:
            last = self._pending[len(self._pending)] = _Entry(stream, "", [node])
        if len(last.text) > CELL_LIMIT:
            self._skipped.add(_Entry(stream, text, [node]))
        else:
            last.text += text

    def _line(self, node: int, stream: str, line: str) -> None:
        if len(line) > _LONGEST:
            line = f"{line[:_LONGEST]} … {len(line) - _LONGEST:,} characters not shown"
        if self._how == "node":
            self._sections[node].append(line)
            self._section_lines[node] += 1
            return
        key = self._key(node, (stream, line))
        if key not in self._pending and len(self._pending) >= LINES_A_TICK:
            self._skipped.add(_Entry(stream, line + "\n", [node]))
        else:
            self._add(node, key, _Entry(stream, line + "\n"))

    def _key(self, node: int, what: Hashable) -> Hashable:
        """Equal for what counts as the same output of several nodes within a tick."""
        if self._how != "same":
            return len(self._pending)
        self._seen[node, what] += 1
        return what, self._seen[node, what]

    def _display(self, event: Display) -> None:
        self._add(event.node, self._key(event.node, _identity(event)), _Entry("", "", event=event))

    def _add(self, node: int, key: Hashable, new: _Entry) -> None:
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
        self._sections[node].clear()
        if node not in self._cleared:
            self._cleared.add(node)

    def _within_limit(self, entries: list[_Entry]) -> list[_Entry]:
        shown: list[_Entry] = []
        for entry in entries:
            self._written += len(entry.text)
            if self._written <= CELL_LIMIT or entry.event is not None:
                shown.append(entry)
                continue
            self._left_out.add(entry)
        return shown

    def _write(self, entries: Iterable[_Entry]) -> None:
        text: list[str] = []
        stream = "stdout"
        for entry in entries:
            if entry.event is not None or entry.stream != stream:
                self._put(stream, text)
                stream = entry.stream or stream
            if entry.event is not None:
                self._screen.publish(entry.ranks, entry.event, not self._alone)
            else:
                text.append(f"{self._label(entry.ranks)}{entry.text}")
        self._put(stream, text)

    def _label(self, ranks: list[int]) -> str:
        return "" if self._alone else f"{label(ranks)} "

    def _write_skipped(self, skipped: _Skipped) -> None:
        """Write how much was skipped, and the last of it."""
        tail, hidden = list(skipped.tail), skipped.lines - sum(entry.text.count("\n") for entry in skipped.tail)
        if hidden > 0:
            self._screen.write("stderr", f"… {hidden:,} lines not shown …\n")
        self._write(tail)
        skipped.lines = 0
        skipped.tail.clear()

    def _put(self, stream: str, text: list[str]) -> None:
        if text:
            self._screen.write(stream, "".join(text))
            text.clear()

    def _draw(self) -> None:
        """Bring the places up to date that replace their text: progress, and sections by node."""
        bars = [
            f"{self._label([node])}{row}"
            for (node, _), reader in sorted(self._readers.items())
            for row in reader.live.shown()
        ]
        self._draw_one("progress", bars)
        if self._how == "node":
            self._draw_one("nodes", self._section_rows())

    def _draw_one(self, key: str, rows: list[str]) -> None:
        text = "\n".join(rows)
        if text and self._drawn.get(key) != text:
            self._drawn[key] = text
            self._screen.live(key, text)

    def _section_rows(self) -> list[str]:
        rows: list[str] = []
        for rank, lines in self._sections.items():
            if lines:
                hidden = self._section_lines[rank] - len(lines)
                rows += [label([rank]), *([f"  … {hidden:,} lines not shown"] if hidden else [])]
                rows += [f"  {line}" for line in lines]
        return rows


def _identity(event: Display) -> Hashable:
    """Equal for displays that look the same; one that will be updated is like no other."""
    if event.update or event.transient.get("display_id"):
        return event.node, id(event)
    return _frozen(event.data), _frozen(event.metadata)


def _frozen(bundle: Mapping[str, object]) -> Hashable:
    items = ((kind, value if isinstance(value, str | bytes) else repr(value)) for kind, value in bundle.items())
    return tuple(sorted(items, key=lambda item: item[0]))
