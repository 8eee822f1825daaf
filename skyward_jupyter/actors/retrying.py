"""What becomes of the tasks of a node that is lost: they run again on another one, or they end with NodeLost.

A task that has not left this process is placed again, always: nothing of it has run. One that may have begun runs
again as often as its `retries` say, unless a repetition could be noticed in a way that its caller did not agree to:
broadcasts, cells and other tasks that are for one node, generators that have yielded, tasks that have begun to read a
stream, and what was told to stop.
"""

from __future__ import annotations

from collections.abc import Iterable

from skyward_jupyter.actors import placing
from skyward_jupyter.actors.desk import TaskEntry
from skyward_jupyter.actors.ending import end
from skyward_jupyter.actors.hub import Hub
from skyward_jupyter.errors import NodeLost
from skyward_jupyter.events import TaskRetried
from skyward_jupyter.wire.events import Failure


def may_run_again(entry: TaskEntry) -> bool:
    """Whether a task whose node is lost goes to another one."""
    if not entry.pooled or entry.stopping or entry.yielded:
        return False
    if entry.feeds is not None and entry.feeds.begun:
        return False
    return not entry.sent or entry.tries <= entry.retries


def lose(hub: Hub, entries: Iterable[TaskEntry], rank: int, why: str) -> None:
    """The node of these tasks is gone; those that are elsewhere by now are left alone."""
    again: list[int] = []
    for entry in entries:
        if entry.rank != rank or entry.outcome.done():
            continue
        if may_run_again(entry):
            _reset(hub, entry, rank, why)
            again.append(entry.id)
        else:
            end(
                hub,
                entry,
                Failure(rank, NodeLost(rank, why, entry.tries, entry.function), 0.0),
            )
    if again:
        hub.placing.queue.prepend(again)
        placing.assign(hub)


def _reset(hub: Hub, entry: TaskEntry, rank: int, why: str) -> None:
    """As if it had never been on that node, except for what is counted. What it needs stays pinned."""
    if entry.sent:
        hub.events.emit(TaskRetried, entry.id, entry.name, rank, entry.tries, why)
        entry.tries += 1
    entry.rank, entry.sent, entry.arrived = None, 0.0, 0.0
    if entry.fetching is not None:
        entry.fetching.cancel()
        entry.fetching = None
