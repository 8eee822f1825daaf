"""Asking a node's session about the code of a ``%%sky`` cell, for Tab and Shift+Tab.

A node is asked that runs no cell, where there is one, and only for a moment: the kernel waits for none that is far away
or has other things to do.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import casty

from skyward_jupyter.agent.questions import Answer, Question, answer_in, packed
from skyward_jupyter.errors import SkywardError
from skyward_jupyter.notebook import pools
from skyward_jupyter.notebook.options import CellOptions, cell_options
from skyward_jupyter.notebook.reading import stays
from skyward_jupyter.runtime.bridge import runtime
from skyward_jupyter.wire.messages import Consult

if TYPE_CHECKING:
    from skyward_jupyter.notebook.state import Notebook

#: How long an answer may take (seconds), and how long where nothing else is known.
WITHIN = 0.12
PATIENTLY = 0.4


@dataclass(frozen=True, slots=True)
class Place:
    """A place in code that runs on nodes: the code, the cursor in it, and the options it runs with."""

    code: str
    cursor: int
    options: CellOptions


def place_in(notebook: Notebook, text: str, cursor: int) -> Place | None:
    """Where a cursor in the text of a cell stands in code of nodes; None where it does not."""
    above, below = text[:cursor], text[cursor:]
    begins = len(text) - len(text.lstrip())
    first, newline, rest = text[begins:].partition("\n")
    if first.startswith("%%sky"):
        start = begins + len(first) + len(newline)
        return Place(rest, cursor - start, _options(notebook, first[5:])) if newline and cursor >= start else None
    line = above.rpartition("\n")[2].lstrip()
    if line.startswith("%sky "):
        code = line.removeprefix("%sky ").lstrip()
        return Place(code + below.partition("\n")[0], len(code), CellOptions())
    if notebook.remote is None or stays(notebook, text.splitlines(keepends=True)):
        return None
    return Place(text, cursor, _options(notebook, notebook.remote.line))


def consult(place: Place, question: Question, is_worth_more: Callable[[], bool] = lambda: False) -> Answer:
    """What a node answers; None when none can, or none does in time, which is longer if it is worth more."""
    if not pools.running():
        return None
    here = runtime()
    asked = asyncio.run_coroutine_threadsafe(_ask(place.options, question), here.loop)
    with here.needed():
        with contextlib.suppress(TimeoutError):
            return asked.result(WITHIN)
        with contextlib.suppress(TimeoutError):
            if is_worth_more():
                return asked.result(PATIENTLY - WITHIN)
    asked.cancel()
    return None


async def _ask(options: CellOptions, question: Question) -> Answer:
    try:
        pool = pools.find(options.pool)
        rank = _idle(pool, pools.select(pool, options))
        return (
            answer_in(await pool._inner.hub.worker(rank).ask(Consult(packed(question)))) if rank is not None else None
        )
    except (SkywardError, casty.Unavailable):
        return None


def _idle(pool: pools.Pool, ranks: Sequence[int]) -> int | None:
    """The first of these nodes whose session runs nothing for this kernel, or else the first."""
    busy = {entry.rank for entry in pool._inner.hub.desk.tasks.values() if entry.session}
    return next((rank for rank in ranks if rank not in busy), next(iter(ranks), None))


def _options(notebook: Notebook, line: str) -> CellOptions:
    try:
        return cell_options(line, notebook.defaults())
    except SkywardError:
        return CellOptions()  # it is being written
