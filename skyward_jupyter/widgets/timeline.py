"""The times of tasks as a picture and as text: both complete in themselves, with nothing to load.

The picture has one lane per task that a node ran at the same time, under the node's number; of many nodes, how busy
each group of them was. It brings its own background, light or dark as the reader's system is, so its text has contrast
wherever it is shown.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from skyward_jupyter.events import TaskTimes
from skyward_jupyter.widgets.bands import bands
from skyward_jupyter.widgets.lanes import lanes
from skyward_jupyter.widgets.scale import BAR, LEFT, TOP, WIDTH, Scale, spent

#: The most tasks that are drawn, and that are listed: the last ones.
DRAWN = 2000
LISTED = 20
#: The most nodes that have lanes of their own.
NODES = 50

_STYLE = (
    "text{font:11px system-ui,sans-serif;fill:#333}.b{fill:#fff}.r{fill:#2a7ab0}.e{fill:#c0392b}"
    ".w{stroke:#999;fill:none}.g{stroke:#ddd}.m{stroke:#111;stroke-width:1.6;fill:none}"
    "@media(prefers-color-scheme:dark){text{fill:#ddd}.b{fill:#1b1b1b}.r{fill:#5aa9dc}.e{fill:#e57368}"
    ".w{stroke:#888}.g{stroke:#3a3a3a}.m{stroke:#fff}}"
)
_STEPS = (1, 2, 5)


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
    axis = list(_axis(scale.span, scale.factor, y))
    return _svg(y + 24, [f"<title>{escape(title)}</title>", _text(LEFT, 18, title), *axis, *parts])


def summary(times: Sequence[TaskTimes]) -> str:
    """What the picture shows, in a line."""
    drawn = times[-DRAWN:]
    errors = sum(bool(one.error) for one in drawn)
    nodes = len({one.node for one in drawn})
    tasks = f"{len(drawn)} task{'s' * (len(drawn) != 1)} in {spent(Scale.of(drawn).span)}"
    failed = f", {errors} with an error (×)" if errors else ""
    left_out = len(times) - len(drawn)
    earlier = f"; {left_out} earlier ones are not drawn" if left_out else ""
    return f"{tasks} on {nodes} node{'s' * (nodes != 1)}{failed}{earlier}"


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


def _axis(span: float, scale: float, y: float) -> Iterable[str]:
    step = _step(span / 6)
    for count in range(int(span / step) + 1):
        x = LEFT + count * step * scale
        yield f'<path class="g" d="M{x:.1f} {TOP - 4}V{y}"/>'
        yield _text(x, y + 14, spent(count * step), "middle")


def _step(least: float) -> float:
    """A round number of seconds not below `least`."""
    size = 1e-6
    while True:
        for step in _STEPS:
            if step * size >= least:
                return step * size
        size *= 10


def _text(x: float, y: float, text: str, anchor: str = "start") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


def _svg(height: float, parts: Iterable[str]) -> str:
    size = f'width="{WIDTH}" height="{height:g}" viewBox="0 0 {WIDTH} {height:g}"'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img"><style>{_STYLE}</style>'
        f'<rect class="b" width="100%" height="100%" rx="6"/>{"".join(parts)}</svg>'
    )
