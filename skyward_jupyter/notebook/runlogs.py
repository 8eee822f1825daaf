"""``%sky logs RUN``: what a run wrote, as far as it is kept, whether it was shown or not.

It comes no faster than a notebook server lets it through.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator

from skyward_jupyter.api.runs import PoolRun
from skyward_jupyter.errors import UsageError
from skyward_jupyter.notebook import pools
from skyward_jupyter.notebook.held import CellRun
from skyward_jupyter.notebook.leftout import RunLog, kept_runs, log_of
from skyward_jupyter.notebook.logbook import LINES
from skyward_jupyter.notebook.options import LOGS, parse
from skyward_jupyter.notebook.pacing import BURST, RATE
from skyward_jupyter.notebook.state import Notebook
from skyward_jupyter.runtime.bridge import wait
from skyward_jupyter.runtime.writing import put

_NUMBER = re.compile(r"r(\d+)")
#: Characters that are written at a time.
_PIECE = RATE // 4


def show(notebook: Notebook, line: str) -> bool:
    """Write what the run wrote that the line names; returns False where it names none."""
    given, words = parse(line, LOGS, "%sky logs")
    named = notebook.names().get(words[0]) if len(words) == 1 else None
    number = _NUMBER.fullmatch(words[0]) if len(words) == 1 else None
    if number is None and not isinstance(named, CellRun | PoolRun):
        return False
    if given.get("follow"):
        raise UsageError(f"%sky logs {words[0]}: leave --follow out; what a run writes is in its cell as it comes")
    if isinstance(named, CellRun | PoolRun):
        text = _text_of(named, given.get("lines", LINES))
    else:
        assert number is not None
        text = _numbered(int(number[1]), given)
    wait(_write(text), "run.log.tail()")
    return True


def _text_of(run: CellRun | PoolRun, lines: int) -> str:
    if isinstance(run, CellRun):
        return RunLog(run._inner.ids, run._inner.log, len(run.nodes) > 1).text(lines)
    return "".join(run.output.splitlines(keepends=True)[-lines:])


def _numbered(number: int, given: dict[str, object]) -> str:
    """The text of the run with this number: one of this notebook, or of the kernel that had the pool before."""
    lines = given.get("lines", LINES)
    assert isinstance(lines, int)
    if (found := log_of(number)) is not None:
        return found.text(lines)
    for pool in pools.running():
        if given.get("pool") in (None, pool.name):
            for run in pool.runs:
                if run.id == number:
                    return _text_of(run, lines)
    kept = ", ".join(kept_runs())
    there = f"those that are kept are {kept}" if kept else "no cell has run yet"
    raise UsageError(f"%sky logs r{number}: the log of that run is not kept, or there was none; {there}")


async def _write(text: str) -> None:
    for place, piece in enumerate(_pieces(text)):
        if place * _PIECE > BURST:
            await asyncio.sleep(_PIECE / RATE)
        put("stdout", piece)


def _pieces(text: str) -> Iterator[str]:
    """`text` in pieces that end with lines."""
    start = 0
    while start < len(text):
        end = text.rfind("\n", start, start + _PIECE) + 1 or min(start + _PIECE, len(text))
        yield text[start:end]
        start = end
