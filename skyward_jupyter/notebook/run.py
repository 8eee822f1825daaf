"""A ``%%sky`` cell while it runs and after: what it wrote and gave on each node, and how to stop it."""

from __future__ import annotations

import asyncio
import html
import time
from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass, field
from typing import Any

from skyward_jupyter.agent.cells import Bundle, CellError
from skyward_jupyter.errors import TaskInterrupted, UnknownNode
from skyward_jupyter.notebook.ranks import label, spoken
from skyward_jupyter.notebook.tracebacks import plain
from skyward_jupyter.runtime.bridge import bridge, runtime, wait
from skyward_jupyter.wire.events import Dropped, Output

_OUTPUT = 1_000_000


@dataclass(slots=True)
class NodeRun:
    """One node's part of a run.

    Attributes
    ----------
    rank
        Which node.
    state
        ``running``, ``done`` or ``failed``.
    output
        What it wrote, both streams together; of more than a million characters, the last.
    shown
        How its last expression shows.
    error
        What ended it, when that was an error.
    dropped
        Bytes of output that the node could not keep until they were read.
    """

    rank: int
    state: str = "running"
    shown: Bundle | None = None
    error: CellError | BaseException | None = None
    dropped: int = 0
    _text: list[str] = field(default_factory=list)
    _size: int = 0

    @property
    def output(self) -> str:
        """What it wrote so far."""
        self._text[:] = ["".join(self._text)[-_OUTPUT:]]
        self._size = len(self._text[0])
        return self._text[0]

    def take(self, event: object) -> None:
        """Keep what it writes."""
        if isinstance(event, Dropped):
            self.dropped += event.size
        if isinstance(event, Output):
            self._text.append(event.text)
            self._size += len(event.text)
            if self._size > 2 * _OUTPUT:
                _ = self.output

    def __repr__(self) -> str:
        reason = ""
        if isinstance(self.error, CellError):
            reason = f": {self.error.name}: {plain(self.error.text)}"
        elif self.error is not None:
            reason = f": {self.error}"
        return f"<node {self.rank}: {self.state}{reason}>"


class CellRun:
    """A cell that runs on nodes.

    ``await run`` and ``run.result()`` give what the cell gives: the values of its last expression in node order, or
    one value where it runs on one node by its ``--on``. They raise what the cell raises.
    """

    def __init__(self, ranks: Iterable[int]) -> None:
        self.nodes = {rank: NodeRun(rank) for rank in ranks}
        self.started = time.monotonic()
        self.seconds = 0.0
        self.state = "running"
        self.changed: Callable[[], None] = lambda: None
        self._stops: list[Callable[[], None]] = []
        self._stopped = 0
        self._done: asyncio.Future[tuple[object, BaseException | None]] = runtime().loop.create_future()

    @property
    def done(self) -> bool:
        """Whether it has ended."""
        return self.state != "running"

    @property
    def interrupted(self) -> bool:
        """Whether it was asked to stop from here."""
        return self._stopped > 0

    def __getitem__(self, rank: int) -> NodeRun:
        """One node's part; raises UnknownNode for a node it does not run on."""
        if rank not in self.nodes:
            raise UnknownNode(rank, max(self.nodes, default=-1) + 1)
        return self.nodes[rank]

    def __await__(self) -> Generator[Any, None, object]:
        return bridge(self._finished()).__await__()

    def result(self, timeout: float | None = None) -> object:
        """Block until it has ended and return what it gives.

        Raises
        ------
        TimeoutError
            When it has not ended after `timeout` seconds; it goes on.
        """
        return wait(asyncio.wait_for(self._finished(), timeout), "await run")

    def cancel(self) -> None:
        """Interrupt the code on all its nodes; called again, end the processes that run it."""
        runtime().call_soon(self.stop)

    def stop(self) -> None:
        """The same, on the runtime's loop."""
        if self.done or not self._stops:
            return
        self._stops[min(self._stopped, len(self._stops) - 1)]()
        self._stopped += 1

    def stop_with(self, *stops: Callable[[], None]) -> None:
        """What the first, the second … `stop` does."""
        self._stops = list(stops)
        if self._stopped:
            stops[min(self._stopped, len(stops)) - 1]()

    def mark(self, rank: int, *, shown: Bundle | None = None, error: CellError | BaseException | None = None) -> None:
        """A node has ended its part."""
        node = self.nodes[rank]
        node.shown, node.error = shown, error
        node.state = "done" if error is None else "failed"

    def end(self, value: object, error: BaseException | None) -> None:
        """The run has ended."""
        self.seconds = time.monotonic() - self.started
        self.state = "done" if error is None else ("cancelled" if self.interrupted else "failed")
        if not self._done.done():
            self._done.set_result((value, error))
        self.changed()

    def head(self) -> str:
        """One line about where it stands."""
        seconds = self.seconds or time.monotonic() - self.started
        counts = ", ".join(
            f"{label(found)} {state}"
            for state in ("running", "done", "failed")
            if (found := [node.rank for node in self.nodes.values() if node.state == state])
        )
        return f"run on {spoken(self.nodes)}: {self.state}, {seconds:.1f} s ({counts})"

    async def _finished(self) -> object:
        value, error = await asyncio.shield(self._done)
        if isinstance(error, KeyboardInterrupt):
            raise TaskInterrupted(f"the run was cancelled: {error}")
        if error is not None:
            raise error
        return value

    def __repr__(self) -> str:
        return f"<{self.head()}>"

    def _repr_mimebundle_(self, **_: object) -> dict[str, Any]:
        rows = "".join(
            f"<tr><td style='text-align:right'>{node.rank}</td><td>{html.escape(node.state)}</td></tr>"
            for node in self.nodes.values()
        )
        table = f"<table><thead><tr><th>node</th><th>state</th></tr></thead><tbody>{rows}</tbody></table>"
        return {"text/plain": repr(self), "text/html": f"<div>{html.escape(self.head())}</div>{table}"}
