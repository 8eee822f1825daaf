"""The calls of one group under way: how each ended, and what stops them."""

from __future__ import annotations

import asyncio

from skyward_jupyter.actors.desk import TaskEntry
from skyward_jupyter.actors.dispatch import Dispatch
from skyward_jupyter.api.gathering import Gathered, gathered
from skyward_jupyter.wire.events import Failure, Outcome


class Parts:
    """Calls that run side by side, by their place. Used on the runtime's loop, but for `so_far`.

    Attributes
    ----------
    entries, outcomes
        Those that were sent, and how each ends.
    """

    def __init__(self, dispatch: Dispatch, entries: list[TaskEntry]) -> None:
        self._dispatch = dispatch
        self.entries = entries
        self.outcomes = [entry.outcome for entry in entries]

    def add(self, entry: TaskEntry) -> None:
        """Take one more."""
        self.entries.append(entry)
        self.outcomes.append(entry.outcome)

    def add_failed(self, error: Exception) -> None:
        """Take one more, which could not be sent."""
        outcome: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        outcome.set_result(Failure(-1, error, 0.0))
        self.outcomes.append(outcome)

    async def ended(self) -> list[Outcome]:
        """How all ended; cancelled, it stops them as `Dispatch.ended` does."""
        await self._dispatch.ended(self.entries)
        return [future.result() for future in self.outcomes]

    def stop(self) -> None:
        """Interrupt those that have not ended."""
        self._dispatch.stop(self.entries, "interrupt")

    def stop_at_failure(self) -> list[BaseException]:
        """Interrupt the others once one has failed; what is returned gets the errors in the order they come."""
        failed: list[BaseException] = []

        def check(future: asyncio.Future[Outcome]) -> None:
            outcome = future.result()
            if isinstance(outcome, Failure):
                failed.append(outcome.error)
                if len(failed) == 1:
                    self.stop()

        for outcome in self.outcomes:
            outcome.add_done_callback(check)
        return failed

    def so_far(self, first: BaseException | None = None) -> Gathered:
        """What became of them by now, `first` being what failed."""
        outcomes = {place: future.result() if future.done() else None for place, future in enumerate(self.outcomes)}
        return gathered(outcomes, first=first)
