"""How a notebook waits for a cell: awaited where IPython can, blocking everywhere else; interrupts in both.

A cell that *is* a ``%%sky`` cell is rewritten so that it is awaited: while it runs, widgets and the runtime work on.
Under ``%%time``, inside a function or in a terminal the same magic blocks.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Coroutine, Sequence
from typing import Any

from skyward_jupyter.errors import SkywardError, UsageError
from skyward_jupyter.notebook.cell import Cell
from skyward_jupyter.notebook.here import lines_of
from skyward_jupyter.notebook.state import Notebook
from skyward_jupyter.notebook.tracebacks import in_a_sentence, shown_as
from skyward_jupyter.notebook.verdicts import Verdict
from skyward_jupyter.runtime.bridge import runtime, wait
from skyward_jupyter.runtime.crossing import Crossing
from skyward_jupyter.runtime.interrupts import on_sigint

_CALL = re.compile(r"get_ipython\(\)\.run_cell_magic\('sky', ('|\")")


class AwaitTransformer:
    """Puts ``await`` before the call that IPython makes of a ``%%sky`` cell.

    It leaves the call alone while another cell runs: the text then comes from a magic that cannot await, or from the
    cell's own code.
    """

    def __init__(self, notebook: Notebook) -> None:
        self._notebook = notebook

    def __call__(self, lines: list[str]) -> list[str]:
        """The transformed lines of a cell."""
        if len(lines) != 1 or self._notebook.depth or not (found := _CALL.match(lines[0])):
            return lines
        if not self._notebook.awaits:
            return lines
        start = found.end()
        return [f"await {lines[0][:start]}--awaited {lines[0][start:]}"]


async def awaited(cell: Cell) -> Any:
    """Run a cell and return its value; what SIGINT does to it surfaces as KeyboardInterrupt.

    However often the cell around is cancelled, it is awaited to its end.
    """
    here = runtime()
    work = Crossing(here.loop, cell.execute() if cell.here is None else await _after_here(cell))
    with on_sigint(work.cancel), here.needed():
        try:
            verdict = await work.ended()
        except asyncio.CancelledError:
            raise shown_as(KeyboardInterrupt(), ["KeyboardInterrupt"]) from None
    return _joined(verdict, cell).unwrap()


async def _after_here(cell: Cell) -> asyncio.Task[Verdict]:
    """Have the nodes begin, and run the part of the cell that runs here; returns what goes on of it."""
    here = runtime()
    beginning = Crossing(here.loop, cell.begin())
    with on_sigint(beginning.cancel), here.needed():
        execution = await beginning.ended()
        if cell.here is not None and cell.waits_for_here:
            try:
                await cell.here.run()
            finally:
                here.call_soon(cell.ended_here)
    return execution


def _joined(verdict: Verdict, cell: Cell) -> Verdict:
    """How a cell ended on the nodes and here."""
    error = cell.here.error if cell.here is not None else None
    if error is None:
        return verdict
    if verdict.error is None:
        return Verdict(error=error)
    return Verdict(error=shown_as(verdict.error, [*lines_of(error), "", *lines_of(verdict.error)]))


def blocking(cell: Cell) -> Any:
    """Run a cell, block until it has ended, and return its value."""
    verdicts: list[Verdict] = []
    if cell.here is None:
        return blocked(_kept(cell.execute(), verdicts), verdicts)
    if cell.here.awaits and _loop_runs():
        raise in_a_sentence(UsageError("a --local cell that awaits something is to be a cell of its own"))
    execution = wait(cell.begin(), "a cell of its own that begins with %%sky")
    if cell.waits_for_here:
        try:
            with runtime().needed():
                cell.here.run_blocking()
        finally:
            runtime().call_soon(cell.ended_here)
    return blocked(_kept(_ended(execution, cell), verdicts), verdicts)


def _loop_runs() -> bool:
    """Whether an event loop runs in this thread."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


async def _ended(execution: asyncio.Task[Verdict], cell: Cell) -> Verdict:
    return _joined(await execution, cell)


def blocked(work: Coroutine[Any, Any, Verdict], verdicts: Sequence[Verdict]) -> Any:
    """Block on `work`; an interrupted cell that ended anyway says itself how."""
    try:
        return wait(work, "a cell of its own that begins with %%sky").unwrap()
    except KeyboardInterrupt:
        if verdicts and verdicts[0].error is not None:
            raise verdicts[0].error from None
        raise shown_as(KeyboardInterrupt(), ["KeyboardInterrupt"]) from None
    except SkywardError as error:
        raise error if hasattr(error, "_render_traceback_") else in_a_sentence(error) from None


async def _kept(work: Coroutine[Any, Any, Verdict], verdicts: list[Verdict]) -> Verdict:
    verdicts.append(await work)
    return verdicts[0]
