"""A pool as plain text and as HTML that needs nothing: what stays when the kernel is gone.

Both forms are complete in themselves: no script, no style sheet, no link. The HTML inherits the
text colour of the page around it, so it reads in light and dark, and stays a readable table where a
code host strips its inline styles. Every value is escaped.
"""

from __future__ import annotations

from base64 import b64encode
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape

from skyward_jupyter.actors.cost import Cost
from skyward_jupyter.actors.source import OVER, STATES, Delta, NodeRow, Snapshot
from skyward_jupyter.actors.tally import Tally
from skyward_jupyter.events import TaskTimes
from skyward_jupyter.widgets.timeline import latest, picture, summary

LISTED = 32
"""The most nodes that are listed one by one."""

SAID, REASON = 60, 120
"""The most characters of a line that a node wrote, and of why it is not there."""

GLYPHS = {"idle": "○", "waiting": "◐", "active": "▶", "lost": "✕"}

_COLUMNS = ("node", "state", "phase", "address", "CPU", "memory", "running", "done")
_NUMERIC = frozenset({"node", "CPU", "memory", "running", "done"})
_QUIET = "opacity:.7"
#: A state is two words that belong together.
_ALIGNED = defaultdict(lambda: "text-align:left", right="text-align:right", state="text-align:left;white-space:nowrap")
_CELL = "padding:2px 12px 2px 0;border:0;border-bottom:1px solid rgba(128,128,128,.3);background:none"


@dataclass(frozen=True, slots=True)
class Picture:
    """A pool at one moment.

    `delta` holds the live numbers where any were seen; `moment` is in seconds since the epoch; `times` are the tasks
    that ended last.
    """

    snapshot: Snapshot
    delta: Delta | None
    moment: float
    times: Sequence[TaskTimes] = ()

    @property
    def over(self) -> bool:
        return self.snapshot["state"] in OVER

    @property
    def nodes(self) -> list[NodeRow]:
        """Those that are worth a line.

        What nodes did when their pool ended says nothing any more; how far they got, or why they failed, does.
        """
        nodes = self.snapshot["nodes"]
        return [] if self.over and all(node["state"] in ("idle", "active") for node in nodes) else nodes

    def plain(self) -> str:
        """Render as text: a line for the pool, then a line per node."""
        lines = [f"pool {self.snapshot['pool']}: {self._facts()}"]
        if self.snapshot["note"]:
            lines.append(f"  {self.snapshot['note']}")
        rows = self._rows()
        if rows:
            lines += [f"  {line}" for line in aligned(self._columns(), rows)]
        if self._unlisted():
            lines.append(f"  … and {self._unlisted()} more")
        return "\n".join(lines)

    def html(self, note: str = "") -> str:
        """Render as one HTML element; `note` is a sentence to add below."""
        parts = [f"<div><strong>{escape(self.snapshot['pool'])}</strong> · {escape(self._facts())}</div>"]
        if self.snapshot["note"]:
            parts.append(f"<div>{escape(self.snapshot['note'])}</div>")
        if rows := self._rows():
            parts.append(table(self._columns(), rows))
        if self._unlisted():
            parts.append(f"<div>… and {self._unlisted()} more</div>")
        if self.times:
            parts.append(_drawn(self.times if self.over else latest(self.times)))
        moment = datetime.fromtimestamp(self.moment, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
        parts.append(f'<div style="{_QUIET};font-size:85%">As of {moment}. {escape(note)}</div>')
        return f'<div style="line-height:1.5;font-variant-numeric:tabular-nums">{"".join(parts)}</div>'

    def _facts(self) -> str:
        snapshot = self.snapshot
        nodes = snapshot["nodes"]
        census = Counter(node["state"] for node in nodes)
        facts = [snapshot["state"], snapshot["provider"], f"{len(nodes)} node{'' if len(nodes) == 1 else 's'}"]
        if snapshot["state"] == "failed":
            return ", ".join([*facts, f"after {duration(self.moment - snapshot['started'])}"])
        if not self.over:
            facts += [f"{census[state]} {state}" for state in STATES if census[state]]
            if (active := snapshot.get("active")) is not None:
                facts.insert(1, "active pool" if active else "not the active pool")
        if (tally := self._tally()) is not None:
            facts.append(str(tally))
        if cost := self._cost():
            facts.append(cost)
        facts.append(f"{'ran' if self.over else 'up'} {duration(self.moment - snapshot['started'])}")
        return ", ".join(facts)

    def _tally(self) -> Tally | None:
        """How tasks ended, if any did or that none did is known."""
        found = [Tally(*self.snapshot["ended"])]
        if self.delta is not None:
            found.append(Tally(*self.delta.tally))
        newest = max(found, key=lambda tally: tally.ended)
        return newest if newest.ended or self.delta is not None else None

    def _cost(self) -> str:
        known = self.delta.so_far if self.delta is not None else 0.0
        return str(Cost(self.snapshot["per_hour"], max(known, self.snapshot["so_far"])))

    def _columns(self) -> tuple[str, ...]:
        return _COLUMNS if self._numbers() else _COLUMNS[:4]

    def _numbers(self) -> list[tuple[float, ...]]:
        """Return the live numbers, if they belong to the snapshot's nodes and still mean something."""
        if self.delta is None or self.over:
            return []
        table = self.delta.table()
        return table if len(table) == len(self.snapshot["nodes"]) else []

    def _rows(self) -> list[list[str]]:
        numbers = self._numbers()
        rows = []
        for place, node in enumerate(self.nodes[:LISTED]):
            rows.append(_slow(node, self.moment) + (_live(node, numbers[place]) if numbers else []))
        return rows

    def _unlisted(self) -> int:
        return max(0, len(self.nodes) - LISTED)


def duration(seconds: float) -> str:
    """Write a length of time with its two largest units."""
    whole = max(0, int(seconds))
    for size, unit, smaller, name in ((86400, "d", 3600, "h"), (3600, "h", 60, "m"), (60, "m", 1, "s")):
        if whole >= size:
            return f"{whole // size}{unit} {whole % size // smaller}{name}"
    return f"{whole}s"


def memory(mebibytes: float) -> str:
    """Write an amount of memory given in MiB."""
    return f"{mebibytes:.0f} MiB" if mebibytes < 1024 else f"{mebibytes / 1024:.1f} GiB"


def _drawn(times: Sequence[TaskTimes]) -> str:
    """The timeline as an image: whoever strips images leaves its text, not the words of a drawing in a row."""
    data = b64encode(picture(times, alone=True).encode()).decode()
    size = "display:block;max-width:100%;height:auto;margin:6px 0"
    return f'<img style="{size}" alt="{escape(summary(times))}" src="data:image/svg+xml;base64,{data}">'


def brief(text: str) -> str:
    """As much of a reason as a cell has room for; the whole is in the error, or in the boot log."""
    return text if len(text) <= REASON else f"{text[:REASON].rstrip()} …"


def doing(node: NodeRow, moment: float) -> str:
    """What a node does; while it waits or is not reachable also for how long, and what came of that last."""
    if (node["state"] != "waiting" and node["reachable"]) or not node["since"]:
        return brief(node["phase"])
    said = f" ({node['said'].strip()[:SAID]})" if node["said"] else ""
    return f"{node['phase']}, {duration(moment - node['since'])}{said}"


def _slow(node: NodeRow, moment: float) -> list[str]:
    return [str(node["rank"]), f"{GLYPHS[node['state']]} {node['state']}", doing(node, moment), node["address"]]


def _live(node: NodeRow, numbers: Sequence[float]) -> list[str]:
    """The numbers of a node; they are of the moment before its state, so one that is idle by now runs nothing."""
    _, cpu, size, running, done, _ = numbers
    running = running if node["state"] == "active" else 0
    return [f"{cpu:.0f}%", memory(size), f"{running:.0f}", f"{done:.0f}"]


def aligned(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """A table as lines of text."""
    widths = [max(len(line[place]) for line in (columns, *rows)) for place in range(len(columns))]

    def line(cells: Sequence[str]) -> str:
        padded = [
            cell.rjust(width) if name in _NUMERIC else cell.ljust(width)
            for cell, width, name in zip(cells, widths, columns, strict=True)
        ]
        return "  ".join(padded).rstrip()

    return [line(columns), *map(line, rows)]


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table as HTML."""
    aligned = [f"{_CELL};{_ALIGNED['right' if name in _NUMERIC else name]}" for name in columns]

    def line(tag: str, cells: Sequence[str]) -> str:
        body = "".join(f'<{tag} style="{style}">{escape(c)}</{tag}>' for style, c in zip(aligned, cells, strict=True))
        return f'<tr style="background:none">{body}</tr>'

    body = "".join(line("td", row) for row in rows)
    head = line("th", columns)
    style = "border-collapse:collapse;margin:6px 0;color:inherit"
    return f'<table style="{style}"><thead>{head}</thead><tbody>{body}</tbody></table>'
