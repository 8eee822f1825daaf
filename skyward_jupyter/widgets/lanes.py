"""A timeline's rows for few nodes: every task is a bar, those that a node ran at the same time are in different lanes.

A thin line is the time from sending a task until it began, a bar the time it ran; an error has a cross near its end.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from html import escape

from skyward_jupyter.actors.tally import CANCELLED
from skyward_jupyter.events import TaskTimes
from skyward_jupyter.widgets.colours import colours
from skyward_jupyter.widgets.scale import BAR, Row, Scale, cross, spent

_LANE, _GAP = 12, 8
#: The most lanes drawn for one node.
_LANES = 16


@dataclass(slots=True)
class _Lane:
    """Tasks that ran one after another."""

    free_from: float = 0.0
    tasks: list[TaskTimes] = field(default_factory=list)


def lanes(drawn: Sequence[TaskTimes], scale: Scale, *, alone: bool) -> list[Row]:
    """A row per node. With `alone`, bars have no titles and are drawn together, which takes much less room."""
    draw = _together if alone else _one_by_one
    known = colours(one.name for one in drawn)
    return [
        Row(f"node {node}", len(found) * _LANE + _GAP, partial(draw, found, scale, known))
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


def _one_by_one(found: Sequence[_Lane], scale: Scale, known: Mapping[str, int], y: float) -> Iterable[str]:
    for place, lane in enumerate(found):
        yield from (_bar(one, scale, known, y + place * _LANE) for one in lane.tasks)


def _bar(one: TaskTimes, scale: Scale, known: Mapping[str, int], y: float) -> str:
    began, ended = scale.x(one.began), scale.x(one.ended)
    width = max(ended - began, 0.6)
    name = f"{one.name or 'task'} {one.task} on node {one.node}: {spent(one.seconds)}"
    note = f"{name}, {one.error}" if one.error else name
    wait = f'<path class="w" d="{_wait(one, scale, y)}"/>' if _waited(one, scale) else ""
    mark = f'<path class="m" d="{cross(max(began, ended - BAR / 2), y + BAR / 2)}"/>' if _kind(one) == "e" else ""
    return (
        f'{wait}<g class="f{known[one.name]}"><rect class="{_kind(one)}" x="{began:.1f}" y="{y:g}" width="{width:.1f}"'
        f' height="{BAR}" rx="1"><title>{escape(note)}</title></rect></g>{mark}'
    )


def _together(found: Sequence[_Lane], scale: Scale, known: Mapping[str, int], y: float) -> Iterable[str]:
    parts: dict[tuple[str, int], list[str]] = defaultdict(list)
    for place, lane in enumerate(found):
        top = y + place * _LANE
        for one in lane.tasks:
            began, ended = scale.x(one.began), scale.x(one.ended)
            width = max(ended - began, 0.6)
            kind = _kind(one)
            colour = known[one.name] if kind == "r" else 0
            parts[kind, colour].append(f"M{began:.1f} {top:g}h{width:.1f}v{BAR}h-{width:.1f}z")
            if _waited(one, scale):
                parts["w", 0].append(_wait(one, scale, top))
            if kind == "e":
                parts["m", 0].append(cross(max(began, ended - BAR / 2), top + BAR / 2))
    drawn = sorted(parts.items(), key=lambda part: "wrcem".index(part[0][0]))
    return [f'<g class="f{at}"><path class="{kind}" d="{"".join(shapes)}"/></g>' for (kind, at), shapes in drawn]


def _kind(one: TaskTimes) -> str:
    """The class of its bar: it ran, was cancelled, or ended with an error."""
    return "c" if one.error in CANCELLED else "e" if one.error else "r"


def _waited(one: TaskTimes, scale: Scale) -> bool:
    """Whether that can be seen."""
    return scale.x(one.began) - scale.x(one.sent) > 1


def _wait(one: TaskTimes, scale: Scale, y: float) -> str:
    return f"M{scale.x(one.sent):.1f} {y + BAR / 2:g}H{scale.x(one.began):.1f}"
