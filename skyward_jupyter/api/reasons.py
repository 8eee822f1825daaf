"""For what a call, a pool and others are waited for, in words that go on after ``waiting for``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from skyward_jupyter.actors.desk import NodeState, NodeView, TaskEntry

if TYPE_CHECKING:
    from skyward_jupyter.actors.hub import Hub

#: So many functions, or steps of a start, are named; of a step, so many letters are told.
_NAMED, _LETTERS = 2, 60
_UP = (NodeState.IDLE, NodeState.ACTIVE)


def of_call(hub: Hub, entry: TaskEntry) -> str:
    """For what one call waits: its node, a slot or the pool."""
    if entry.outcome.done():
        return ""
    name = entry.name or "the call"
    if entry.stopping:
        return f"{name} to stop{_on(entry)}"
    if entry.rank is None or not entry.sent:
        return of_slot(hub, name)
    view = hub.desk.nodes.get(entry.rank)
    if view is not None and (view.link or view.state not in _UP):
        return f"node {entry.rank} with {name}: {_first(view.doing)}"
    return f"node {entry.rank}: running {name}"


def of_calls(hub: Hub, entries: Sequence[TaskEntry]) -> str:
    """The same of the first of some calls that has not ended."""
    return next((of_call(hub, entry) for entry in entries if not entry.outcome.done()), "")


def still_on(entries: Sequence[TaskEntry]) -> str:
    """Where a call on several nodes goes on; empty when nearly everywhere."""
    from skyward_jupyter.notebook.ranks import label

    ranks = [entry.rank for entry in entries if entry.rank is not None and not entry.outcome.done()]
    return f" on {label(ranks)}" if 2 * len(ranks) <= len(entries) else ""


def of_slot(hub: Hub, name: str) -> str:
    """For what something waits that has no slot yet."""
    nodes = hub.desk.nodes.values()
    up = [view for view in nodes if view.state in _UP]
    if hub.state != "ready" or not up:
        return of_nodes(hub, max(len(nodes), hub.desired))
    slots = sum(view.slots for view in up)
    busy = min(slots, sum(view.running for view in up))
    runs = Counter(entry.function or "cells" for entry in hub.desk.tasks.values() if entry.sent and not entry.session)
    what = ", ".join(each for each, _ in runs.most_common(_NAMED))
    more = ", …" if len(runs) > _NAMED else ""
    return f"a free slot for {name}: {busy} of {slots} run {what}{more}" if what else f"a free slot for {name}"


def of_nodes(hub: Hub, wanted: int) -> str:
    """For what a pool waits that is to have so many nodes."""
    nodes = hub.desk.nodes
    leaving = len(nodes) - wanted
    if leaving > 0:
        running = sum(not entry.outcome.done() and entry.rank is not None for entry in hub.desk.tasks.values())
        first = f", once the {running} task{'s' * (running != 1)} there have ended" if running else ""
        return f"pool {hub.name}: {leaving} node{'s' * (leaving != 1)} to leave{first}"
    at = [view for _, view in sorted(nodes.items()) if view.state not in _UP]
    if len(nodes) == wanted and not at:
        return f"pool {hub.name}: its {wanted} nodes to know each other" if wanted > 1 else f"pool {hub.name}"
    return f"pool {hub.name}: {len(nodes) - len(at)} of {wanted} nodes ready{_doing(at)}"


def of_end(hub: Hub) -> str:
    """For what a pool waits that is to end."""
    left = len(hub.desk.nodes)
    return f"pool {hub.name} to end, with {left} node{'s' * (left != 1)} left" if left else f"pool {hub.name} to end"


def of_broadcast(hub: Hub) -> str:
    """For what a call on every node waits before it is sent."""
    late = [view for _, view in sorted(hub.desk.nodes.items()) if view.state not in _UP or view.link]
    return f"all nodes of pool {hub.name} to be ready{_doing(late)}"


def _doing(views: list[NodeView]) -> str:
    """What some nodes are at, those that are at the same together."""
    from skyward_jupyter.notebook.ranks import spoken

    at: dict[str, list[int]] = {}
    for view in views:
        at.setdefault(_first(view.doing), []).append(view.rank)
    told = [f"{spoken(ranks)} {doing}" for doing, ranks in list(at.items())[:_NAMED]]
    more = ["…"] if len(at) > _NAMED else []
    return f" ({', '.join([*told, *more])})" if told else ""


def _on(entry: TaskEntry) -> str:
    return f" on node {entry.rank}" if entry.rank is not None else ""


def _first(text: str) -> str:
    line = text.partition("\n")[0]
    return line if len(line) <= _LETTERS else f"{line[:_LETTERS].rstrip()} …"
