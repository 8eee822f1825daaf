"""The runs of a pool: cells and calls that its nodes have, whichever kernel started them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Generator, Iterable
from typing import Any

from skyward_jupyter.actors.adoption import Kept
from skyward_jupyter.actors.desk import TaskEntry
from skyward_jupyter.actors.dispatch import Dispatch
from skyward_jupyter.actors.hub import Hub
from skyward_jupyter.api.counts import Counts, counted, unsent
from skyward_jupyter.api.gathering import Gathered, carry
from skyward_jupyter.api.stream import yields_of
from skyward_jupyter.errors import CellFailed, ResultGone, UsageError
from skyward_jupyter.runtime.bridge import bridge, runtime, wait
from skyward_jupyter.wire.events import Failure, Outcome, Success


class PoolRun:
    """A cell or call on a pool's nodes, started by this kernel or by the one before it.

    ``await run`` and ``run.result()`` give what it returned: one value, or a list where it had several parts, as on
    several nodes. They raise what it raised.
    """

    def __init__(self, hub: Hub, dispatch: Dispatch, kept: Kept) -> None:
        self._hub = hub
        self._dispatch = dispatch
        self._kept = kept
        self._stopped = False
        self._work: asyncio.Task[object] | None = None

    @property
    def id(self) -> int:
        """Its number, unlike any other run's of the pool."""
        return self._kept.number

    @property
    def what(self) -> str:
        """The name of the function, or the first line of the cell."""
        return self._kept.label

    @property
    def nodes(self) -> tuple[int, ...]:
        """The nodes it runs on, or ran on."""
        return tuple(sorted({entry.rank for entry in self._entries if entry.rank is not None}))

    @property
    def in_sessions(self) -> bool:
        """Whether it runs in the nodes' sessions, as cells do, and not in their slots."""
        return self._kept.session

    @property
    def started(self) -> float:
        """When it came to its nodes, in seconds since the epoch."""
        return self._kept.since

    @property
    def state(self) -> str:
        """``running``, ``done``, ``failed``, or ``incomplete`` when some of its calls never ran (see `unsent`)."""
        outcomes = [entry.outcome.result() for entry in self._entries if entry.outcome.done()]
        if len(outcomes) < len(self._entries):
            return "running"
        errors = [error for outcome in outcomes if (error := _error(outcome)) is not None]
        if any(not isinstance(error, ResultGone) for error in errors):
            return "failed"
        return "incomplete" if self.unsent else "done"

    @property
    def counts(self) -> Counts:
        """How many of its calls have ended, run, or were lost with the kernel that started it."""
        return counted(self._kept, len(self.unsent))

    @property
    def unsent(self) -> tuple[int, ...]:
        """The places, from 0 on, of its calls that waited in the kernel that started it and never ran anywhere."""
        return unsent(self._kept, self._hub.handed)

    @property
    def results(self) -> dict[int, object]:
        """What its calls have returned so far, by their place from 0 on; without what went to the kernel before."""
        ended = ((number - self._kept.number, entry) for number, entry in sorted(self._kept.entries.items()))
        outcomes = ((place, entry.outcome.result()) for place, entry in ended if entry.outcome.done())
        return {
            place: _plain(found) for place, found in outcomes if isinstance(found, Success) and _error(found) is None
        }

    @property
    def done(self) -> bool:
        """Whether it has ended."""
        return self.state != "running"

    @property
    def output(self) -> str:
        """What it wrote that the kernel before had not shown; the lines of several nodes one node after the other.

        Of a run of this kernel, whose output is where it was started, nothing.
        """
        nodes = self.nodes
        texts = {rank: self.output_of(rank) for rank in nodes}
        if len(nodes) == 1:
            return texts[nodes[0]]
        return "".join(f"[{rank}] {line}\n" for rank in nodes for line in texts[rank].splitlines())

    def output_of(self, node: int) -> str:
        """The same, of one node."""
        return "".join(output.text for output in self._kept.outputs if output.node == node)

    def result(self, timeout: float | None = None) -> Any:
        """Block until it has ended and return what it gives; of a generator, the list of what it yielded.

        Raises
        ------
        TimeoutError
            When it has not ended after `timeout` seconds; it goes on.
        ResultGone
            The kernel that started it had some of the results already, or had not sent some of the calls.
        """
        __tracebackhide__ = True
        return wait(asyncio.wait_for(self._finished(), timeout), "await run")

    def __await__(self) -> Generator[Any, None, Any]:
        return bridge(self._finished()).__await__()

    def cancel(self) -> None:
        """Interrupt it on its nodes; called again, end the processes that run it."""
        action, self._stopped = "kill" if self._stopped else "interrupt", True
        runtime().call_soon(self._dispatch.stop, self._entries, action)

    async def ended(self, timeout: float) -> list[Outcome | None]:
        """Wait until it has ended, for so many seconds at most; returns how its parts ended, None for what goes on."""
        entries = self._entries
        await asyncio.wait([entry.outcome for entry in entries], timeout=timeout)
        return [entry.outcome.result() if entry.outcome.done() else None for entry in entries]

    def __repr__(self) -> str:
        where = f"node{'s' * (len(self.nodes) != 1)} {', '.join(map(str, self.nodes))}"
        return f"<run {self.id}: {self.what!r} on {where}, {self.state}, {time.time() - self.started:.0f} s ago>"

    @property
    def _entries(self) -> list[TaskEntry]:
        return list(self._kept.entries.values())

    async def _finished(self) -> object:
        """Its result; who waits may give up waiting, which changes nothing for the run."""
        __tracebackhide__ = True
        if self._work is None:
            self._work = runtime().spawn(self._gathered(), awaited=True)
        return await asyncio.shield(self._work)

    async def _gathered(self) -> object:
        kept = self._kept
        values: dict[int, object] = {}
        errors: dict[int, BaseException] = {}
        for number, entry in sorted(kept.entries.items()):
            try:
                values[number - kept.number] = await self._value(entry)
            except ResultGone:
                continue
            except Exception as error:
                errors[number - kept.number] = error
        if errors:
            alone = len(errors) == 1 or kept.session
            several = f"the run raised in {len(errors)} of {kept.parts} parts"
            raised = next(iter(errors.values())) if alone else BaseExceptionGroup(several, list(errors.values()))
            raise carry(raised, Gathered(values, errors, ()))
        if len(values) < kept.parts:
            raise ResultGone(_gone(kept, len(values), len(self.unsent)), values, self.unsent)
        return [values[place] for place in range(kept.parts)] if kept.parts > 1 else values[0]

    async def _value(self, entry: TaskEntry) -> object:
        if entry.yields is not None and not entry.adopted:
            raise UsageError(f"what {self.what!r} yields goes to the loop that reads it; there is no result beside it")
        if entry.yields is not None:
            return [item async for item in yields_of(self._hub, self._dispatch, entry)]
        outcome = await asyncio.shield(entry.outcome)
        if (error := _error(outcome)) is not None:
            raise error
        assert isinstance(outcome, Success)
        return _plain(outcome)


def runs_of(hub: Hub, dispatch: Dispatch, known: dict[int, PoolRun]) -> tuple[PoolRun, ...]:
    """The runs that another kernel started and those of this one that go on, oldest first; `known` keeps the former."""
    for number, kept in hub.kept.items():
        if number not in known and (kept.entries or unsent(kept, hub.handed)):
            known[number] = PoolRun(hub, dispatch, kept)
    mine = (PoolRun(hub, dispatch, kept) for kept in _going_on(hub.desk.tasks.values()))
    return tuple(sorted((*known.values(), *mine), key=lambda run: run.id))


def _going_on(entries: Iterable[TaskEntry]) -> list[Kept]:
    found: dict[int, Kept] = {}
    for entry in entries:
        if not entry.adopted:
            kept = found.setdefault(entry.run, Kept(entry.run, entry.parts, entry.label, entry.session, entry.queued))
            kept.entries[entry.id] = entry
    return list(found.values())


def _error(outcome: Outcome) -> BaseException | None:
    if isinstance(outcome, Failure):
        return outcome.error
    if not _is_cell(outcome.value):
        return None
    cell: Any = outcome.value
    if cell.missing:
        text = f"the cell did not run on node {outcome.node}: its session lacks {', '.join(sorted(cell.missing))}"
        return CellFailed(text, {})
    if cell.error is None:
        return None
    return CellFailed(f"node {outcome.node}: {cell.error.name}: {cell.error.text}", {})


def _plain(outcome: Success) -> object:
    value: Any = outcome.value
    return value.value if _is_cell(value) else value


def _is_cell(value: object) -> bool:
    from skyward_jupyter.agent.cells import CellOutcome

    return isinstance(value, CellOutcome)


def _gone(kept: Kept, present: int, lacking: int) -> str:
    had = 0 if kept.separate else kept.parts - present - lacking
    said = f"{had} of the {kept.parts} results of {kept.label!r} went to the kernel that started it" if had else ""
    if lacking:
        of = f" of the {kept.parts}" if not kept.separate else ""
        never = f"{lacking}{of} calls of {kept.label!r} waited in the kernel that started them and never ran: "
        said = f"{said}, and {never}" if said else never
        said += "their places are in .unsent of this error, run those again"
    return f"{said}; the results that are here are in .results of this error"
