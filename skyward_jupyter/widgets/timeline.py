"""The times of tasks as a picture and as text: both complete in themselves, with nothing to load.

The picture has one lane per task that a node ran at the same time, under the node's number; of many nodes, how busy
each group of them was. The axis is the local clock, a colour is a function. It brings its own background, light or dark
as the reader's system is, so its text has contrast wherever it is shown.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from html import escape

from skyward_jupyter.actors.tally import CANCELLED
from skyward_jupyter.events import TaskTimes
from skyward_jupyter.widgets.bands import bands
from skyward_jupyter.widgets.colours import DARK, LIGHT, colours
from skyward_jupyter.widgets.lanes import lanes
from skyward_jupyter.widgets.scale import BAR, LEFT, TOP, WIDTH, Scale, spent
from skyward_jupyter.widgets.ticks import ticks

#: The most tasks that are drawn, and that are listed: the last ones.
DRAWN = 2000
LISTED = 20
#: The most nodes that have lanes of their own.
NODES = 50

#: The most ticks, and the most functions that are named below.
TICKS, NAMED = 6, 8


def _fills(palette: Sequence[str]) -> str:
    return "".join(f".f{place} .r,.f{place} .k{{fill:{colour}}}" for place, colour in enumerate(palette))


_STYLE = (
    "text{font:11px system-ui,sans-serif;fill:#333}.b{fill:#fff}.e{fill:#c0392b}.c{fill:none;stroke:#777}"
    f".w{{stroke:#999;fill:none}}.g{{stroke:#ddd}}.m{{stroke:#111;stroke-width:1.6;fill:none}}{_fills(LIGHT)}"
    ".s{stroke:#333;stroke-dasharray:2 3}"
    "@media(prefers-color-scheme:dark){text{fill:#ddd}.b{fill:#1b1b1b}.e{fill:#e57368}.c{stroke:#999}"
    f".w{{stroke:#888}}.g{{stroke:#3a3a3a}}.m{{stroke:#fff}}.s{{stroke:#ddd}}{_fills(DARK)}}}"
)


def picture(times: Sequence[TaskTimes], *, alone: bool = False) -> str:
    """An SVG of the last tasks.

    With `alone` it is for where nothing in it can be pointed at, and no larger than that needs.
    """
    drawn = sorted(times[-DRAWN:], key=lambda one: one.began)
    if not drawn:
        return _svg(TOP + 10, [_text(12, 20, "no task has ended yet")])
    scale = Scale.of(drawn)
    nodes = len({one.node for one in drawn})
    rows = bands(drawn, scale) if nodes > NODES else lanes(drawn, scale, alone=alone)
    parts: list[str] = []
    y: float = TOP
    for row in rows:
        parts += (_text(LEFT - 8, y + BAR + 1, row.label, "end"), *row.drawn(y))
        y += row.height
    title = summary(times)
    day = time.strftime("%d %b %Y", time.localtime(scale.start)).lstrip("0")
    axis = [*_axis(scale, y), *_cells(drawn, scale, y)]
    names = list(_legend(drawn, y + 30))
    return _svg(
        y + 24 + 16 * bool(names),
        [f"<title>{escape(title)}</title>", _text(LEFT, 18, f"{title} · {day}"), *axis, *parts, *names],
    )


def latest(times: Sequence[TaskTimes]) -> Sequence[TaskTimes]:
    """Those that the cell called which called the last one; all, where no cell is known."""
    cell = max(times, key=lambda one: one.queued).cell if times else 0
    return [one for one in times if one.cell == cell] if cell else times


def summary(times: Sequence[TaskTimes]) -> str:
    """What the picture shows, in a line."""
    drawn = times[-DRAWN:]
    cancelled = sum(one.error in CANCELLED for one in drawn)
    errors = sum(bool(one.error) for one in drawn) - cancelled
    cells = {one.cell for one in drawn} - {0}
    which = f"In [{next(iter(cells))}]: " if len(cells) == 1 else ""
    nodes = len({one.node for one in drawn})
    tasks = f"{len(drawn)} task{'s' * (len(drawn) != 1)} in {spent(Scale.of(drawn).span)}"
    failed = f", {errors} with an error (×)" if errors else ""
    stopped = f", {cancelled} cancelled" if cancelled else ""
    left_out = len(times) - len(drawn)
    earlier = f"; {left_out} earlier ones are not drawn" if left_out else ""
    return f"{which}{tasks} on {nodes} node{'s' * (nodes != 1)}{failed}{stopped}{earlier}"


def table(times: Sequence[TaskTimes]) -> str:
    """The last tasks as lines of text."""
    if not times:
        return "no task has ended yet"
    listed = times[-LISTED:]
    start = min(one.queued for one in listed)
    columns = ("task", "name", "node", "queued", "sent", "began", "ended", "received", "error")
    rows = [columns, *(_row(one, start) for one in listed)]
    widths = [max(len(row[place]) for row in rows) for place in range(len(columns))]
    left = {1, len(columns) - 1}
    lines = [
        "  ".join(
            cell.ljust(width) if place in left else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
    more = f"the last {len(listed)} of {len(times)} tasks, " if len(times) > len(listed) else ""
    return "\n".join([f"{more}times in seconds after the first call shown", *lines])


def _row(one: TaskTimes, start: float) -> tuple[str, ...]:
    moments = (one.queued, one.sent, one.began, one.ended, one.received)
    return str(one.task), one.name, str(one.node), *(f"{moment - start:.4f}" for moment in moments), one.error


def _axis(scale: Scale, y: float) -> Iterable[str]:
    for moment, label in ticks(scale.start, scale.span, TICKS):
        x = scale.x(moment)
        yield f'<path class="g" d="M{x:.1f} {TOP - 4}V{y}"/>'
        yield _text(min(x, WIDTH - 34), y + 14, label, "middle")


def _cells(drawn: Iterable[TaskTimes], scale: Scale, y: float) -> Iterable[str]:
    """Where each cell began, if there are several: what one ran is not taken for what another did."""
    first: dict[int, float] = {}
    for one in drawn:
        first[one.cell] = min(first.get(one.cell, one.sent), one.sent)
    if len(first) > 1:
        for cell, moment in first.items():
            if cell:
                x = scale.x(max(moment, scale.start))
                yield f'<path class="s" d="M{x:.1f} {TOP - 6}V{y}"><title>In [{cell}]</title></path>'


def _legend(drawn: Iterable[TaskTimes], y: float) -> Iterable[str]:
    """Which colour is which function."""
    x = float(LEFT)
    known = colours(one.name for one in drawn)
    for name, colour in list(known.items())[:NAMED]:
        short = name if len(name) <= 24 else f"{name[:23]}…"
        if not name or x + 7 * len(short) > WIDTH - 40:
            continue
        yield f'<g class="f{colour}"><path class="k" d="M{x:.0f} {y - 8:g}h8v8h-8z"/></g>{_text(x + 12, y, short)}'
        x += 28 + 7 * len(short)


def _text(x: float, y: float, text: str, anchor: str = "start") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


def _svg(height: float, parts: Iterable[str]) -> str:
    size = f'width="{WIDTH}" height="{height:g}" viewBox="0 0 {WIDTH} {height:g}"'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img"><style>{_STYLE}</style>'
        f'<rect class="b" width="100%" height="100%" rx="6"/>{"".join(parts)}</svg>'
    )
