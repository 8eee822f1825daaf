"""How a notebook waits for a cell: awaited where IPython can, blocking everywhere else; interrupts in both.

A cell that *is* a ``%%sky`` cell is rewritten so that it is awaited: while it runs, widgets and the runtime work on.
Under ``%%time``, inside a function or in a terminal the same magic blocks.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Coroutine, Sequence
from typing import Any

from skyward_jupyter.errors import SkywardError
from skyward_jupyter.notebook.cell import Cell
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
    work = Crossing(here.loop, cell.execute())
    with on_sigint(work.cancel), here.needed():
        try:
            verdict = await work.ended()
        except asyncio.CancelledError:
            raise shown_as(KeyboardInterrupt(), ["KeyboardInterrupt"]) from None
    return verdict.unwrap()


def blocking(cell: Cell) -> Any:
    """Run a cell, block until it has ended, and return its value."""
    verdicts: list[Verdict] = []
    return blocked(_kept(cell.execute(), verdicts), verdicts)


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
