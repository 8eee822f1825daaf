"""The times of tasks as a picture and as text: both complete in themselves, with nothing to load.

The picture has one lane per task that a node ran at the same time, under the node's number. A thin line is the time
from sending a task until it began, a bar the time it ran. It brings its own background, light or dark as the reader's
system is, so its text has contrast wherever it is shown.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from html import escape

from skyward_jupyter.events import TaskTimes

#: The most tasks that are drawn, and that are listed: the last ones.
DRAWN = 2000
LISTED = 20

_WIDTH, _LEFT, _RIGHT = 800, 64, 16
_TOP, _LANE, _BAR, _GAP = 30, 12, 8, 8
#: The most lanes drawn for one node.
_LANES = 16
_STYLE = (
    "text{font:11px system-ui,sans-serif;fill:#333}.b{fill:#fff}.r{fill:#2a7ab0}.e{fill:#c0392b}"
    ".w{stroke:#999}.g{stroke:#ddd}"
    "@media(prefers-color-scheme:dark){text{fill:#ddd}.b{fill:#1b1b1b}.r{fill:#5aa9dc}.e{fill:#e57368}"
    ".w{stroke:#888}.g{stroke:#3a3a3a}}"
)
_STEPS = (1, 2, 5)


@dataclass(slots=True)
class _Lane:
    """Tasks that ran one after another."""

    free_from: float = 0.0
    tasks: list[TaskTimes] = field(default_factory=list)


def picture(times: Sequence[TaskTimes]) -> str:
    """An SVG of the last tasks."""
    drawn = sorted(times[-DRAWN:], key=lambda one: one.began)
    if not drawn:
        return _svg(_TOP + 10, [_text(12, 20, "no task has ended yet")])
    start = min(min(one.sent, one.began) for one in drawn)
    span = max(max(one.ended for one in drawn) - start, 1e-6)
    scale = (_WIDTH - _LEFT - _RIGHT) / span
    parts: list[str] = []
    y = _TOP
    for node, lanes in _by_node(drawn).items():
        parts.append(_text(_LEFT - 8, y + _BAR + 1, f"node {node}", "end"))
        for lane in lanes:
            parts += (_bar(one, start, scale, y) for one in lane.tasks)
            y += _LANE
        y += _GAP
    left_out = len(times) - len(drawn)
    title = f"{len(drawn)} tasks in {_seconds(span)}" + (f"; {left_out} earlier ones are not drawn" if left_out else "")
    axis = list(_axis(span, scale, y))
    return _svg(y + 24, [f"<title>{escape(title)}</title>", _text(_LEFT, 18, title), *axis, *parts])


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


def _by_node(drawn: Iterable[TaskTimes]) -> dict[int, list[_Lane]]:
    """The tasks of each node, those that ran at the same time in different lanes."""
    nodes: dict[int, list[_Lane]] = {}
    for one in drawn:
        lanes = nodes.setdefault(one.node, [])
        # Times are estimated to a fraction of a millisecond; what overlaps by less ran one after the other.
        lane = next((lane for lane in lanes if lane.free_from <= one.began + 1e-3), None)
        if lane is None and len(lanes) < _LANES:
            lanes.append(lane := _Lane())
        lane = lane or min(lanes, key=lambda each: each.free_from)
        lane.tasks.append(one)
        lane.free_from = one.ended
    return dict(sorted(nodes.items()))


def _bar(one: TaskTimes, start: float, scale: float, y: int) -> str:
    sent, began, ended = (_LEFT + (moment - start) * scale for moment in (one.sent, one.began, one.ended))
    name = f"{one.name or 'task'} {one.task} on node {one.node}: {_seconds(one.seconds)}"
    note = f"{name}, {one.error}" if one.error else name
    middle = y + _BAR / 2
    wait = f'<path class="w" d="M{sent:.1f} {middle}H{began:.1f}"/>' if began - sent > 1 else ""
    width = max(ended - began, 0.6)
    kind = "e" if one.error else "r"
    return (
        f'{wait}<rect class="{kind}" x="{began:.1f}" y="{y}" width="{width:.1f}" height="{_BAR}" rx="1">'
        f"<title>{escape(note)}</title></rect>"
    )


def _axis(span: float, scale: float, y: int) -> Iterable[str]:
    step = _step(span / 6)
    for count in range(int(span / step) + 1):
        x = _LEFT + count * step * scale
        yield f'<path class="g" d="M{x:.1f} {_TOP - 4}V{y}"/>'
        yield _text(x, y + 14, _seconds(count * step), "middle")


def _step(least: float) -> float:
    """A round number of seconds not below `least`."""
    size = 1e-6
    while True:
        for step in _STEPS:
            if step * size >= least:
                return step * size
        size *= 10


def _seconds(seconds: float) -> str:
    if seconds and seconds < 1e-3:
        return f"{seconds * 1e6:.3g} µs"
    return f"{seconds * 1e3:.3g} ms" if 0 < seconds < 1 else f"{seconds:.4g} s"


def _text(x: float, y: float, text: str, anchor: str = "start") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


def _svg(height: float, parts: Iterable[str]) -> str:
    size = f'width="{_WIDTH}" height="{height:g}" viewBox="0 0 {_WIDTH} {height:g}"'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img"><style>{_STYLE}</style>'
        f'<rect class="b" width="100%" height="100%" rx="6"/>{"".join(parts)}</svg>'
    )
