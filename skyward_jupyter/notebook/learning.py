"""What the sessions of an attached pool have: asked of a node before the first cell that this kernel runs there."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from skyward_jupyter.agent.cells import Holdings
from skyward_jupyter.notebook.sending import Ledger
from skyward_jupyter.wire.events import Success

if TYPE_CHECKING:
    from skyward_jupyter.api.pool import ComputePool


async def learn(pool: ComputePool, ledger: Ledger, ranks: Iterable[int]) -> None:
    """Have `ledger` know the sessions of `ranks`; it waits for what runs in them, as the cell itself would.

    One that cannot say is taken for a new one: a cell that needs more of it says so.
    """
    unknown = sorted(pool._inner.strange_sessions.intersection(ranks))
    if not unknown:
        return
    from skyward_jupyter.agent.session import holdings
    from skyward_jupyter.api.compute import compute

    asked = pool._inner.launch(compute(holdings)(), unknown, session=True, label="what the session has")
    for outcome in await asked.outcomes():
        pool._inner.strange_sessions.discard(outcome.node)
        if isinstance(outcome, Success) and isinstance(outcome.value, Holdings):
            ledger.learn(outcome.node, outcome.value)
