"""``%sky interrupt``: KeyboardInterrupt in what runs on a pool, or in one run of it, and how each of them ended."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from skyward_jupyter.errors import NodeLost, SlotDied, TaskFailed, UsageError
from skyward_jupyter.notebook import pools
from skyward_jupyter.notebook.held import CellRun
from skyward_jupyter.notebook.options import POOL, parse
from skyward_jupyter.notebook.ranks import spoken
from skyward_jupyter.notebook.run import CellCourse
from skyward_jupyter.notebook.state import Notebook
from skyward_jupyter.runtime.bridge import wait
from skyward_jupyter.runtime.writing import put
from skyward_jupyter.wire.events import Failure, Outcome, Success

if TYPE_CHECKING:
    from skyward_jupyter.api.runs import PoolRun

#: Seconds that are waited for what was interrupted; code that ignores it loses its process before.
_WITHIN = 8.0
#: So many runs are named, more are counted.
_NAMED = 10
_PLACE = re.compile(r"(?:\w+\.)?runs\[(\d+)\]")


def interrupt(notebook: Notebook, line: str) -> None:
    """Interrupt what the line names, everything that runs on the pool when it names nothing."""
    given, words = parse(line, POOL, "%sky interrupt")
    if len(words) > 1:
        raise UsageError(f"%sky interrupt takes one run at most, and not {' '.join(words)!r}")
    pool = pools.find(given.get("pool"))
    said = wait(_interrupt(notebook, pool, words[0] if words else None), "pool.interrupt()")
    put("stdout", "".join(f"{sentence}\n" for sentence in said), flush=False)


async def _interrupt(notebook: Notebook, pool: pools.Pool, which: str | None) -> list[str]:
    running = [run for run in pool.runs if run.state == "running"]
    chosen = running if which is None else [_named(notebook, running, pool, which)]
    if not chosen:
        return [f"pool {pool.name}: nothing runs"]
    cells = [run for run in notebook.queue(pool).runs if isinstance(run, CellCourse)]
    for run in chosen:
        mine = [cell for cell in cells if run.id in cell.ids]
        for cell in mine:
            cell.stop()
        if not mine:
            run.cancel()
    ends = await asyncio.gather(*(run.ended(_WITHIN) for run in chosen))
    said = [_sentence(run, outcomes) for run, outcomes in zip(chosen[:_NAMED], ends, strict=False)]
    return [*said, f"and {len(chosen) - _NAMED} other runs"] if len(chosen) > _NAMED else said


def _named(notebook: Notebook, running: Sequence[PoolRun], pool: pools.Pool, which: str) -> PoolRun:
    """The run that a word means: its number, its place among the pool's runs, or a name that it is bound to."""
    for run in running:
        if which in (str(run.id), f"r{run.id}"):
            return run
    found: object = notebook.names().get(which)
    if (place := _PLACE.fullmatch(which)) is not None and int(place[1]) < len(pool.runs):
        found = pool.runs[int(place[1])]
    ids = found.ids if isinstance(found, CellRun) else {getattr(found, "id", None)}
    for run in running:
        if run.id in ids:
            return run
    raise UsageError(f"%sky interrupt {which}: {_no_such(found, running, pool)}")


def _no_such(found: object, running: Iterable[PoolRun], pool: pools.Pool) -> str:
    there = ", ".join(f"{run.id} ({run.what})" for run in running)
    what = f"those that run are {there}" if there else "nothing runs"
    if isinstance(found, CellRun) and found.done:
        return f"that run has ended ({found.state}); {what}"
    return f"pool {pool.name} has no such run; {what}"


def _sentence(run: PoolRun, outcomes: Sequence[Outcome | None]) -> str:
    who = f"run {run.id}, {run.what!r}" + (f" on {spoken(run.nodes)}" if run.nodes else "")
    if None in outcomes:
        return f"{who}: does not stop; interrupted again it loses its processes"
    killed = [outcome.node for outcome in outcomes if outcome is not None and _killed(outcome)]
    if killed:
        return f"{who}: did not stop when interrupted, so its process on {spoken(killed)} was ended"
    return f"{who}: {'had ended by then' if all(map(_succeeded, outcomes)) else 'interrupted'}"


def _killed(outcome: Outcome) -> bool:
    if not isinstance(outcome, Failure):
        return False
    error = outcome.error
    return isinstance(error, SlotDied | NodeLost) or (isinstance(error, TaskFailed) and error.killed)


def _succeeded(outcome: Outcome | None) -> bool:
    return isinstance(outcome, Success) and getattr(outcome.value, "error", None) is None
