"""What nodes said and wrote last, as text: ``%sky logs``."""

from __future__ import annotations

import time
from collections.abc import Iterable

from skyward_jupyter.actors.tail import TailLine
from skyward_jupyter.notebook.pools import Pool
from skyward_jupyter.notebook.tracebacks import plain

#: Characters of one line that are shown.
_WIDTH = 300


def text(pool: Pool, ranks: Iterable[int] | None, lines: int) -> str:
    """The last lines of these nodes, each below its number and state; of all there are and were when None."""
    found = pool.logs(lines)
    if ranks is None:
        ranks = sorted({*found, *pool.ranks})
    states = {node.rank: f"{node.state}, pid {node.pid}" if node.pid else str(node.state) for node in pool.nodes}
    parts: list[str] = []
    for rank in ranks:
        parts.append(f"node {rank}: {states.get(rank, 'gone')}")
        parts += [_row(line) for line in found.get(rank, [])] or ["  nothing yet"]
    return "".join(f"{part}\n" for part in parts)


def _row(line: TailLine) -> str:
    at = time.strftime("%H:%M:%S", time.localtime(line.at))
    said = plain(line.text)
    return f"  {at}  {line.source:<6}  {said if len(said) <= _WIDTH else said[:_WIDTH] + ' …'}"
