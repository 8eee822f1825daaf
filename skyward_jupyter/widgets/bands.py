"""A timeline's rows for many nodes: how many tasks each group of neighbours ran at a time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from functools import partial

from skyward_jupyter.events import TaskTimes
from skyward_jupyter.widgets.scale import LEFT, RIGHT, WIDTH, Row, Scale, cross

#: The most rows, and the parts of the whole time in each.
_ROWS, _PARTS = 25, 140
_HEIGHT, _GAP = 14, 4


def bands(drawn: Iterable[TaskTimes], scale: Scale) -> list[Row]:
    """A row per group of nodes whose numbers follow one another."""
    by_node: dict[int, list[TaskTimes]] = defaultdict(list)
    for one in drawn:
        by_node[one.node].append(one)
    size = -(-(max(by_node) + 1) // _ROWS)
    groups: dict[int, list[TaskTimes]] = defaultdict(list)
    for node, tasks in by_node.items():
        groups[node // size] += tasks
    busy = {group: _busy(tasks, scale) for group, tasks in groups.items()}
    most = max(max(parts) for parts in busy.values())
    return [
        Row(_label(group * size, size), _HEIGHT + _GAP, partial(_drawn, groups[group], busy[group], most, scale))
        for group in sorted(groups)
    ]


def _label(first: int, size: int) -> str:
    return f"nodes {first}-{first + size - 1}"


def _busy(tasks: Iterable[TaskTimes], scale: Scale) -> list[float]:
    """How many tasks ran in each part of the time, on average."""
    part = scale.span / _PARTS
    found = [0.0] * _PARTS
    for one in tasks:
        began, ended = (one.began - scale.start) / part, (one.ended - scale.start) / part
        for place in range(min(int(began), _PARTS - 1), min(int(ended), _PARTS - 1) + 1):
            found[place] += max(0.0, min(ended, place + 1) - max(began, place))
    return found


def _drawn(tasks: Sequence[TaskTimes], busy: Sequence[float], most: float, scale: Scale, y: float) -> Iterable[str]:
    bottom, width = y + _HEIGHT, (WIDTH - LEFT - RIGHT) / _PARTS
    steps = "".join(f"V{bottom - _HEIGHT * share / (most or 1):.1f}h{width:.3f}" for share in busy)
    yield f'<path class="g" d="M{LEFT} {bottom}H{WIDTH - RIGHT}"/>'
    yield f'<g class="f0"><path class="r" d="M{LEFT} {bottom}{steps}V{bottom}z"/></g>'
    if marks := "".join(cross(scale.x(one.ended), y + _HEIGHT / 2) for one in tasks if one.error):
        yield f'<path class="m" d="{marks}"/>'
