"""Pools as text for a terminal, laid out by rich: the region that is drawn while the program waits, and a listing.

No line is wider than asked for, and none has more than ASCII where a terminal shows no more.
"""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from skyward_jupyter.actors.source import STATES, Delta, NodeRow, Snapshot
from skyward_jupyter.widgets.static import GLYPHS, LISTED, Picture, doing, duration, memory

#: With more nodes than these, or no room for them, their states are counted.
ROWS = 12
#: The most nodes in trouble that are named below the counts.
TROUBLED = 3
_BAR = 8

_STYLES = {"idle": "dim", "waiting": "yellow", "active": "green", "lost": "bold red"}
_FILLS = {"idle": "░", "waiting": "▒", "active": "█", "lost": "✕"}
_ASCII = str.maketrans(
    {"–": "-", "…": "~", "─": "-", "·": "|", "○": "o", "◐": "~", "▶": ">", "✕": "x", "█": "#", "░": ".", "▒": "~"}
    | dict.fromkeys("▏▎▍▌▋▊▉", "-")
)
_UP = ("idle", "active")
#: The columns, with widths that most values fit, so that they stay where they are.
_COLUMNS = {"node": 4, "state": 9, "CPU": 5, "memory": 8, "running": 7, "done": 6}
#: From this width on all of them, and from this one on bars too.
_WIDE, _WIDEST = 60, 76


@dataclass(frozen=True, slots=True)
class Numbers:
    """The live numbers of one node; see `skyward_jupyter.actors.source.COLUMNS`."""

    state: float
    cpu: float
    memory: float
    running: float
    done: float
    busy: float


def drawn(
    pools: Sequence[tuple[Snapshot, Delta | None, float]],
    width: int,
    height: int,
    told: Sequence[str] = (),
    *,
    unicode: bool = True,
) -> list[str]:
    """The lines of a region of at most this size: each pool with its nodes, or with a few of their numbers.

    Before them stands what is `told` of the wait, the last of it where there is not room for all.
    """
    console = _console(width, terminal=True)
    told = told[-max(height // 3, 1) :]
    room = max((height - len(told)) // max(len(pools), 1), 2)
    lines = [line for text in told for line in _lines(console, Text(text, no_wrap=True, overflow="ellipsis"))]
    for snapshot, delta, moment in pools:
        lines += _lines(console, _block(snapshot, delta, moment, width, room))[:room]
    lines = lines[: max(height, 0)]
    return lines if unicode else [line.translate(_ASCII) for line in lines]


def listing(snapshot: Snapshot, delta: Delta | None, moment: float, width: int | None = None) -> str:
    """A pool as plain text: a line about it, then a line per node."""
    console = _console(width or Console().width, terminal=False)
    picture = Picture(snapshot, delta, moment)
    nodes = picture.nodes
    parts: list[RenderableType] = [Text(picture.plain().partition("\n")[0])]
    if snapshot["note"]:
        parts.append(Text(f"  {snapshot['note']}"))
    if nodes:
        parts.append(_table(nodes[:LISTED], _numbers(snapshot, delta), console.width, moment, addresses=True))
    if (rest := len(nodes) - LISTED) > 0:
        parts.append(Text(f"  … and {rest} more"))
    return "\n".join(line.rstrip() for line in _lines(console, Group(*parts)))


def _console(width: int, *, terminal: bool) -> Console:
    """One that writes to nowhere; whether it colours is decided by TERM, NO_COLOR and the like."""
    colours = {} if terminal else {"color_system": None, "no_color": True}
    return Console(
        file=io.StringIO(),
        force_terminal=terminal,
        force_jupyter=False,
        force_interactive=False,
        legacy_windows=False,
        width=max(width, 20),
        markup=False,
        highlight=False,
        emoji=False,
        **colours,  # type: ignore[arg-type]
    )


def _lines(console: Console, block: RenderableType) -> list[str]:
    with console.capture() as caught:
        console.print(block)
    return caught.get().splitlines()


def _block(snapshot: Snapshot, delta: Delta | None, moment: float, width: int, room: int) -> Group:
    nodes, numbers = snapshot["nodes"], _numbers(snapshot, delta)
    parts: list[RenderableType] = [_head(snapshot, delta, moment, width)]
    note = _note(snapshot)
    if nodes and len(nodes) <= min(ROWS, room - 2 - bool(note)):
        parts.append(_table(nodes, numbers, width, moment))
    elif nodes:
        parts += _summary(nodes, numbers, width)
    if note:
        parts.append(Text(f" {note}", style="yellow", no_wrap=True, overflow="ellipsis"))
    return Group(*parts)


def _head(snapshot: Snapshot, delta: Delta | None, moment: float, width: int) -> Text:
    """A rule with the pool's name and size at its left, what it does at its right."""
    up = sum(node["state"] in _UP for node in snapshot["nodes"])
    count = len(snapshot["nodes"])
    left = Text("── ", style="dim", no_wrap=True, overflow="ellipsis")
    left.append(snapshot["pool"], style="not dim bold")
    size = f"{count} node{'s' * (count != 1)}" if up == count else f"{up} of {count} nodes ready"
    left.append(f" · {snapshot['state']} · {size} · {snapshot['provider']} ")
    work = f"{delta.queued:,} queued · {delta.rate:,.1f} tasks/s · " if delta is not None and up else ""
    up_for = f"up {duration(moment - snapshot['started'])}"
    rights = (f" {work}{up_for} ──", f" {up_for} ──", "")
    right = next(text for text in rights if left.cell_len + len(text) <= width or not text)
    left.append("─" * (width - left.cell_len - len(right)) + right)
    return left


def _note(snapshot: Snapshot) -> str:
    """The note, as long as it is about something that goes on."""
    settled = snapshot["state"] == "ready" and all(node["state"] in _UP for node in snapshot["nodes"])
    return "" if settled else snapshot["note"]


def _table(
    nodes: Sequence[NodeRow], numbers: Sequence[Numbers], width: int, moment: float, *, addresses: bool = False
) -> Table:
    """A row per node; a narrow terminal gets the columns that say most."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    names = [name for name in _COLUMNS if width >= _WIDE or name not in ("memory", "running")]
    for name in names:
        table.add_column(name, justify="left" if name == "state" else "right", no_wrap=True, min_width=_COLUMNS[name])
    phases = any(node["phase"] != "ready" for node in nodes)
    for name in ["address"] * addresses + ["phase"] * phases:
        table.add_column(name, no_wrap=True, overflow="ellipsis")
    bars = width >= _WIDEST and not addresses
    for place, node in enumerate(nodes):
        cells = {
            "node": Text(str(node["rank"])),
            "state": Text(f"{GLYPHS[node['state']]} {node['state']}", style=_STYLES[node["state"]]),
            **_live(node, numbers[place] if numbers else None, bars=bars),
        }
        last = [node["address"]] * addresses + [doing(node, moment) if node["phase"] != "ready" else ""] * phases
        table.add_row(*(cells[name] for name in names), *map(Text, last))
    return table


def _live(node: NodeRow, numbers: Numbers | None, *, bars: bool) -> dict[str, Text]:
    names = ("CPU", "memory", "running", "done")
    if node["state"] not in _UP:
        return {name: Text("") for name in names}
    if numbers is None or not numbers.memory:  # it did not answer in time
        return {name: Text("–", style="dim") for name in names}
    cpu = Text(f"{numbers.cpu:.0f}%")
    if bars:
        share = numbers.cpu / 100 / max(node["slots"], 1)
        full = round(_BAR * min(max(share, 0), 1))
        cpu = Text.assemble(("█" * full, "cyan"), ("░" * (_BAR - full), "dim"), f" {numbers.cpu:4.0f}%")
    texts = (
        cpu,
        Text(memory(numbers.memory)),
        Text(f"{numbers.running if node['state'] == 'active' else 0:.0f}"),
        Text(f"{numbers.done:,.0f}"),
    )
    return dict(zip(names, texts, strict=True))


def _summary(nodes: Sequence[NodeRow], numbers: Sequence[Numbers], width: int) -> list[RenderableType]:
    """Counts by state, the same as a bar, totals, and the first nodes that are not ready."""
    census = Counter(node["state"] for node in nodes)
    counts, bar = Text(" ", no_wrap=True, overflow="ellipsis"), Text(" ")
    ends, before = 0, 0
    for state in sorted(STATES, key=("active", "idle", "waiting", "lost").index):
        if census[state]:
            counts.append(f"{GLYPHS[state]} {census[state]} {state}{_phases(nodes, state)}   ", style=_STYLES[state])
            ends += census[state]
            cells = max(round((width - 2) * ends / len(nodes)), before + 1) - before
            bar.append(_FILLS[state] * cells, style=_STYLES[state])
            before += cells
    parts: list[RenderableType] = [counts, bar[: width - 1]]
    if live := [row for row, node in zip(numbers, nodes, strict=False) if node["state"] in _UP]:
        parts.append(Text(f" {_totals(live)}", no_wrap=True, overflow="ellipsis"))
    troubled = [node for node in nodes if node["state"] not in _UP]
    if len(troubled) <= len(nodes) // 2:
        for node in troubled[:TROUBLED]:
            what = f" node {node['rank']}: {node['state']}, {node['phase']}"
            parts.append(Text(what, style=_STYLES[node["state"]], no_wrap=True, overflow="ellipsis"))
    return parts


def _phases(nodes: Sequence[NodeRow], state: str) -> str:
    """How far those are that wait."""
    census = Counter(node["phase"] for node in nodes if node["state"] == state == "waiting")
    return f" ({', '.join(f'{count} {phase}' for phase, count in census.most_common(3))})" if census else ""


def _totals(live: Sequence[Numbers]) -> str:
    cpu = [row.cpu for row in live]
    return (
        f"CPU {sum(cpu) / len(cpu):.0f}% a node, {max(cpu):.0f}% at most · {memory(sum(row.memory for row in live))}"
        f" · {sum(row.running for row in live):,.0f} running · {sum(row.done for row in live):,.0f} done"
    )


def _numbers(snapshot: Snapshot, delta: Delta | None) -> list[Numbers]:
    """The live numbers, if they belong to the snapshot's nodes."""
    table = delta.table() if delta is not None else []
    return [Numbers(*row) for row in table] if len(table) == len(snapshot["nodes"]) else []
