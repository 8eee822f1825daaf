"""A timeline's rows for few nodes: every task is a bar, those that a node ran at the same time are in different lanes.

A thin line is the time from sending a task until it began, a bar the time it ran; an error has a cross near its end.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from html import escape

from skyward_jupyter.events import TaskTimes
from skyward_jupyter.widgets.scale import BAR, Row, Scale, cross, spent

_LANE, _GAP = 12, 8
#: The most lanes drawn for one node.
_LANES = 16


@dataclass(slots=True)
class _Lane:
    """Tasks that ran one after another."""

    free_from: float = 0.0
    tasks: list[TaskTimes] = field(default_factory=list)


def lanes(drawn: Iterable[TaskTimes], scale: Scale, *, alone: bool) -> list[Row]:
    """A row per node. With `alone`, bars have no titles and are drawn together, which takes much less room."""
    draw = _together if alone else _one_by_one
    return [
        Row(f"node {node}", len(found) * _LANE + _GAP, partial(draw, found, scale))
        for node, found in _by_node(drawn).items()
    ]


def _by_node(drawn: Iterable[TaskTimes]) -> dict[int, list[_Lane]]:
    """The tasks of each node, those that ran at the same time in different lanes."""
    nodes: dict[int, list[_Lane]] = {}
    for one in drawn:
        found = nodes.setdefault(one.node, [])
        # Times are estimated to a fraction of a millisecond; what overlaps by less ran one after the other.
        lane = next((lane for lane in found if lane.free_from <= one.began + 1e-3), None)
        if lane is None and len(found) < _LANES:
            found.append(lane := _Lane())
        lane = lane or min(found, key=lambda each: each.free_from)
        lane.tasks.append(one)
        lane.free_from = one.ended
    return dict(sorted(nodes.items()))


def _one_by_one(found: Sequence[_Lane], scale: Scale, y: float) -> Iterable[str]:
    for place, lane in enumerate(found):
        yield from (_bar(one, scale, y + place * _LANE) for one in lane.tasks)


def _bar(one: TaskTimes, scale: Scale, y: float) -> str:
    began, ended = scale.x(one.began), scale.x(one.ended)
    width = max(ended - began, 0.6)
    name = f"{one.name or 'task'} {one.task} on node {one.node}: {spent(one.seconds)}"
    note = f"{name}, {one.error}" if one.error else name
    wait = f'<path class="w" d="{_wait(one, scale, y)}"/>' if _waited(one, scale) else ""
    mark = f'<path class="m" d="{cross(max(began, ended - BAR / 2), y + BAR / 2)}"/>' if one.error else ""
    return (
        f'{wait}<rect class="{"e" if one.error else "r"}" x="{began:.1f}" y="{y:g}" width="{width:.1f}"'
        f' height="{BAR}" rx="1"><title>{escape(note)}</title></rect>{mark}'
    )


def _together(found: Sequence[_Lane], scale: Scale, y: float) -> Iterable[str]:
    parts: dict[str, list[str]] = {"w": [], "r": [], "e": [], "m": []}
    for place, lane in enumerate(found):
        top = y + place * _LANE
        for one in lane.tasks:
            began, ended = scale.x(one.began), scale.x(one.ended)
            width = max(ended - began, 0.6)
            parts["e" if one.error else "r"].append(f"M{began:.1f} {top:g}h{width:.1f}v{BAR}h-{width:.1f}z")
            if _waited(one, scale):
                parts["w"].append(_wait(one, scale, top))
            if one.error:
                parts["m"].append(cross(max(began, ended - BAR / 2), top + BAR / 2))
    return [f'<path class="{kind}" d="{"".join(shapes)}"/>' for kind, shapes in parts.items() if shapes]


def _waited(one: TaskTimes, scale: Scale) -> bool:
    """Whether that can be seen."""
    return scale.x(one.began) - scale.x(one.sent) > 1


def _wait(one: TaskTimes, scale: Scale, y: float) -> str:
    return f"M{scale.x(one.sent):.1f} {y + BAR / 2:g}H{scale.x(one.began):.1f}"
