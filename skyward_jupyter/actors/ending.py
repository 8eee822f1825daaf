"""The end of a task, whatever it was: its caller is told once, and what it needed is let go."""

from __future__ import annotations

from typing import Any

from skyward_jupyter.actors.desk import TaskEntry
from skyward_jupyter.actors.hub import Hub
from skyward_jupyter.errors import TaskInterrupted
from skyward_jupyter.events import TaskDone, TaskTimes
from skyward_jupyter.wire.events import Failure, Outcome


class StreamEnd:
    """The last thing in a stream's queue: how its task ended."""

    def __init__(self, outcome: Outcome) -> None:
        self.outcome = outcome


def end(hub: Hub, entry: TaskEntry, outcome: Outcome) -> None:
    """End a task, once."""
    if hub.desk.tasks.pop(entry.id, None) is not None:
        hub.payloads.release(entry.blobs)
        hub.desk.throughput.count()
        hub.desk.outlive(entry)
        if entry.feeds is not None:
            entry.feeds.close()
        _tell(hub, entry, outcome)
        hub.progress.ended(entry)
    if not entry.outcome.done():
        entry.outcome.set_result(outcome)
    if entry.yields is not None:
        entry.yields.put_nowait(StreamEnd(outcome))


def withdraw(hub: Hub, entry: TaskEntry, action: str) -> bool:
    """End a task that waits in the queue; False when it is not there, but on its way to or from a node."""
    if entry.rank is not None or entry.id not in hub.placing.queue:
        return False
    entry.stopping = action
    hub.placing.queue.remove(entry.id)
    hub.desk.queued = len(hub.placing.queue)
    cancelled(hub, entry)
    return True


def cancelled(hub: Hub, entry: TaskEntry) -> None:
    """End a task that no node has, as nobody waits for it."""
    end(hub, entry, Failure(-1, TaskInterrupted("the task was cancelled before it started"), 0.0))


def _error_of(entry: TaskEntry, outcome: Outcome) -> str | None:
    """The name of the error that a task ended with, also one that a cell raised; None for a cell that did not run."""
    if isinstance(outcome, Failure):
        return type(outcome.error).__name__
    if not entry.session:
        return ""
    cell: Any = outcome.value
    if getattr(cell, "missing", ()):
        return None
    raised = getattr(cell, "error", None)
    return "" if raised is None else "KeyboardInterrupt" if raised.interrupted else str(raised.name)


def _tell(hub: Hub, entry: TaskEntry, outcome: Outcome) -> None:
    """Keep the times of a task that has ended, and say that it has."""
    error = _error_of(entry, outcome)
    hub.desk.tallies.count(outcome.node, error)
    if error is None:
        return
    if hub.recorder is not None:
        hub.recorder.counted()
    times = hub.desk.record(entry, outcome.node, error)
    if hub.events.tasks:
        made = TaskTimes(*times) if times is not None else None
        hub.events.emit(TaskDone, entry.id, entry.name, outcome.node, error, made)
