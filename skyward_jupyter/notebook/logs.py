"""What nodes said and wrote last, as text, and what they say and write from then on: ``%sky logs``.

Following keeps a bounded number of lines between the nodes and the notebook. When nodes write more than anybody reads,
the last lines are shown and the number of those that are not.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable, Collection, Iterable

from skyward_jupyter.actors.tail import TailLine
from skyward_jupyter.events import Event, EventsDropped, LogLine, NodeLost, NodePhase
from skyward_jupyter.notebook.logbook import LogBook
from skyward_jupyter.notebook.pools import Pool
from skyward_jupyter.notebook.tracebacks import plain
from skyward_jupyter.runtime.writing import put
from skyward_jupyter.tasks import promise

#: Characters of one line that are shown.
_WIDTH = 300
#: While following: seconds between two looks, and lines of one that are shown.
_EVERY = 0.1
#: Seconds that nodes have to say what they wrote.
_CATCH_UP = 1.0
_MOST = 200


def text(pool: Pool, ranks: Iterable[int] | None, lines: int) -> str:
    """The last lines of these nodes, each below its number and state; of all there are and were when None."""
    found = pool.logs(lines)
    if ranks is None:
        ranks = sorted({*found, *pool._inner.ranks})
    states = {node.rank: f"{node.state}, pid {node.pid}" if node.pid else str(node.state) for node in pool.nodes}
    parts: list[str] = []
    for rank in ranks:
        parts.append(f"node {rank}: {states.get(rank, 'gone')}")
        parts += [_row(line) for line in found.get(rank, [])] or ["  nothing yet"]
    return "".join(f"{part}\n" for part in parts)


def _row(line: TailLine) -> str:
    at = time.strftime("%H:%M:%S", time.localtime(line.at))
    said = plain(line.text)
    return f"  {at}  {line.source:<6}  {_short(said)}"


async def catch_up(pool: Pool) -> None:
    """Have what threads and children wrote whose tasks have ended: a kernel that was busy may not know of it yet."""
    if pool.state != "ready":
        return
    asked = [promise(_heard(hear)) for hear in pool._inner.hub.hearers.values()]
    try:
        if asked:
            await asyncio.wait(asked, timeout=_CATCH_UP)
    finally:
        for one in asked:
            one.cancel()


async def _heard(hear: Callable[[], Awaitable[object]]) -> None:
    await hear()


async def follow(pool: Pool, ranks: Collection[int] | None, lines: int) -> None:
    """Write what `text` gives, and then every line as it comes, until the pool is over."""
    stream = pool.events(LogLine, NodePhase, NodeLost)
    put("stdout", text(pool, ranks, lines), flush=False)
    book, news = LogBook(), asyncio.Event()

    async def read() -> None:
        try:
            async for event in stream:
                _take(book, event, ranks)
                news.set()
            book.close()
        finally:
            news.set()

    reading = promise(read())
    shown = 0
    try:
        while not reading.done():
            await news.wait()
            await asyncio.sleep(_EVERY)  # what comes meanwhile is shown together
            news.clear()
            shown = _show(book, shown)
        reading.result()
    finally:
        stream.close()
        reading.cancel()


def _take(book: LogBook, event: Event, ranks: Collection[int] | None) -> None:
    match event:
        case EventsDropped(count=count):
            book.miss(count)
        case LogLine(node=node, stream=stream, text=text) if ranks is None or node in ranks:
            book.feed(node, stream, text)
        case NodePhase(node=node, phase=phase) if ranks is None or node in ranks:
            book.feed(node, "node", f"{phase}\n")
        case NodeLost(node=node, why=why) if ranks is None or node in ranks:
            book.feed(node, "node", f"gone: {why}\n")


def _show(book: LogBook, shown: int) -> int:
    """Write the lines from number `shown` on, as many as are shown at once; returns the number of the next."""
    at = time.strftime("%H:%M:%S")
    if missed := max(book.end - _MOST - shown, 0) + book.missing:
        put("stdout", f"  {at}  … {missed:,} {'lines are' if missed > 1 else 'line is'} not shown\n", flush=False)
    book.missing = 0
    for line in book.lines(max(shown, book.end - _MOST), book.end):
        if line.text.strip():
            put("stdout", f"  {at}  node {line.ranks:<3}  {line.stream:<6}  {_short(line.text)}\n", flush=False)
    sys.stdout.flush()
    return book.end


def _short(text: str) -> str:
    return text if len(text) <= _WIDTH else f"{text[:_WIDTH]} …"
