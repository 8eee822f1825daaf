"""The task actor: which nodes take part, what comes back from them, and what is stopped before it started.

The queue itself is in `skyward_jupyter.actors.placing`.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from casty import Context, actor

from skyward_jupyter.actors.ending import cancelled, withdraw
from skyward_jupyter.actors.hub import Hub, find
from skyward_jupyter.actors.messages import (
    Act,
    Check,
    Enqueue,
    NodeDown,
    NodeUp,
    Recall,
    Returned,
    Slots,
    Withdraw,
)
from skyward_jupyter.actors.placing import assign

type PlacerMessage = Enqueue | Returned | Check | Withdraw | NodeUp | NodeDown | Slots


@actor(initial=0, idle_after=timedelta(days=365))
async def placer(ctx: Context[int, PlacerMessage]) -> None:
    """Places the tasks of one pool."""
    hub = find(ctx.key)
    if hub is None:
        return
    placing = hub.placing
    async for message in ctx.inbox:
        match message:
            case Enqueue(tasks):
                placing.queue.extend(tasks)
            case Withdraw(number, action):
                _withdraw(hub, number, action)
            case Returned(rank, tasks):
                placing.returned(rank, tasks, _wanted(hub, tasks))
            case Check():
                placing.checking = False
                for rank in placing.stuck():
                    hub.node(rank).tell(Recall())
            case NodeUp(rank, slots, given):
                placing.up(rank, slots, given)
            case Slots(rank, slots):
                placing.resize(rank, slots)
            case NodeDown(rank):
                placing.down(rank)
        assign(hub)


def _wanted(hub: Hub, tasks: Sequence[int]) -> list[int]:
    """Those that were not stopped meanwhile; the others end here."""
    wanted = []
    for number in tasks:
        entry = hub.desk.tasks.get(number)
        if entry is None or entry.outcome.done():
            continue
        entry.rank, entry.sent = None, 0.0
        if entry.stopping:
            cancelled(hub, entry)
        else:
            wanted.append(number)
    return wanted


def _withdraw(hub: Hub, number: int, action: str) -> None:
    entry = hub.desk.tasks.get(number)
    if entry is None:
        return
    entry.stopping = action
    if entry.rank is not None:
        hub.node(entry.rank).tell(Act(number, action))
    else:
        withdraw(hub, entry, action)
