"""A ``%%sky`` cell while it runs and after: what it wrote and gave on each node, and how to stop it.

What users hold of one is in `held`.
"""

from __future__ import annotations

import asyncio
import contextvars
import time
from collections.abc import Callable, Generator, Iterable
from typing import Any

from skyward_jupyter.agent.cells import Bundle, CellError
from skyward_jupyter.api.waiting import waits_for
from skyward_jupyter.errors import TaskInterrupted
from skyward_jupyter.notebook import still
from skyward_jupyter.notebook.bars import Bars, facts
from skyward_jupyter.notebook.leftout import name_of
from skyward_jupyter.notebook.logbook import LogBook
from skyward_jupyter.notebook.noderun import NodeRun, take
from skyward_jupyter.notebook.pictures import Pictures
from skyward_jupyter.notebook.ranks import label, spoken
from skyward_jupyter.runtime.bridge import bridge, runtime, wait
from skyward_jupyter.widgets.runsource import STATES, Detach, RunSnapshot, RunView
from skyward_jupyter.wire.events import Output, TaskEvent

#: How many of its bars a page gets, and how many of them node by node.
_BARS = 30
_BARS_BY_NODE = 6


class CellCourse:
    """How a cell goes on its nodes, and what is left of it.

    Attributes
    ----------
    nodes
        Each node's part, by its number.
    state
        ``running``, ``done``, ``failed`` or ``cancelled``.
    ids
        Its numbers among the runs of the pool: one, or two where it began anew on nodes that had lost their sessions.
    log
        The last lines it wrote, of all nodes.
    """

    def __init__(self, ranks: Iterable[int], title: str = "", *, each: bool = False) -> None:
        self.nodes = {rank: NodeRun(rank) for rank in ranks}
        self.title = title
        self.each = each
        self.log = LogBook()
        self.bars = Bars()
        self.displays = Pictures()
        self.cleared = 0
        self.body: str | None = None
        self.shows: Callable[[TaskEvent], None] | None = None
        self.shown_in = -1
        self.started = time.monotonic()
        self.seconds = 0.0
        self.state = "running"
        self._since = time.time()
        self._views: list[RunView] = []
        self._ends: list[Callable[[], None]] = []
        self._stops: list[Callable[[], None]] = []
        self._stopped = 0
        self.ids: set[int] = set()
        self._done: asyncio.Future[tuple[object, BaseException | None]] = runtime().loop.create_future()

    @property
    def name(self) -> str:
        """What it is called on lines of ``%sky``, as ``r3``; empty until it was sent."""
        return name_of(self.ids)

    @property
    def done(self) -> bool:
        """Whether it has ended."""
        return self.state != "running"

    @property
    def interrupted(self) -> bool:
        """Whether it was asked to stop from here."""
        return self._stopped > 0

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

    def _waits_for(self) -> str:
        """For what somebody waits who waits for it."""
        going_on = [rank for rank, node in self.nodes.items() if node.state in ("queued", "running")]
        where = f" on {spoken(going_on)}" if going_on else ""
        return f"run {self.name}{where}" if self.name else ""

    def cancel(self) -> None:
        """Interrupt the code on all its nodes; called again, end the processes that run it."""
        runtime().call_soon(self.stop)

    def stop(self) -> None:
        """The same, on the runtime's loop."""
        if self.done or not self._stops:
            return
        self._stops[min(self._stopped, len(self._stops) - 1)]()
        self._stopped += 1
        self._changed()

    def stop_with(self, *stops: Callable[[], None]) -> None:
        """What the first, the second … `stop` does."""
        self._stops = list(stops)
        if self._stopped:
            stops[min(self._stopped, len(stops)) - 1]()

    def turn(self, rank: int) -> None:
        """A node begins with its part."""
        self.nodes[rank].state = "running"
        self._changed()

    def mark(self, rank: int, *, shown: Bundle | None = None, error: CellError | BaseException | None = None) -> None:
        """A node has ended its part."""
        node = self.nodes[rank]
        node.shown, node._error = shown, error
        node.state = "done" if error is None else "failed"
        self._changed()

    def outlived(self, event: TaskEvent) -> None:
        """Take what a thread or child process wrote after its node's part had ended."""
        if self.shows is not None:
            self.shows(event)  # the cell still runs on other nodes
            return
        take(self.nodes[event.node], event)
        if isinstance(event, Output):
            self.log.feed(event.node, event.stream, event.text)
        self._changed()

    def end(self, value: object, error: BaseException | None) -> None:
        """The run has ended."""
        self.seconds = time.monotonic() - self.started
        self.state = "done" if error is None else ("cancelled" if self.interrupted else "failed")
        if not self._done.done():
            self._done.set_result((value, error))
        self._changed()
        for end in self._ends:
            contextvars.Context().run(end)  # as part of the cell that runs now: some hear of no other

    def at_end(self, call: Callable[[], None]) -> None:
        """Have something done when it has ended, and again where it is first awaited after that."""
        self._ends.append(call)

    def head(self) -> str:
        """One line about where it stands."""
        seconds = self.seconds or time.monotonic() - self.started
        parts = [
            f"{label(found)} {state}"
            for state in STATES
            if (found := [node.rank for node in self.nodes.values() if node.state == state])
        ]
        counts = f" ({', '.join(parts)})" if len(parts) > 1 else ""
        return f"run on {spoken(self.nodes)}: {self.state}, {seconds:.1f} s{counts}"

    def clear(self) -> None:
        """Forget what was written so far."""
        self.log.clear()
        self.bars.clear()
        self.displays.clear()
        self.cleared = self.log.end
        self.body = None

    # -- what its views see

    @property
    def bars_version(self) -> int:
        """Grows when its progress bars change."""
        return self.bars.version

    def bars_shown(self) -> dict[str, object]:
        """Its progress bars as a page wants them: the last ones, of these the last with their nodes."""
        groups = self.bars.groups()[-_BARS:]
        shown = [dict(facts(group)) for group in groups]
        for one in shown[:-_BARS_BY_NODE]:
            one["nodes"] = []
        return {"groups": shown, "texts": self.bars.texts[-_BARS:]}

    @property
    def pictures(self) -> list[tuple[str, str]]:
        """What it displays that is no text."""
        return self.displays.shown

    def snapshot(self) -> RunSnapshot:
        """Its slow state."""
        return RunSnapshot(
            title=self.title,
            state=self.state,
            started=self._since,
            seconds=self.seconds,
            nodes=[(node.rank, node.state, node.reason[:500]) for node in self.nodes.values()],
            stops=self._stopped,
        )

    def still(self) -> dict[str, object]:
        """It as text and HTML."""
        return {"text/plain": still.plain(self, self.body), "text/html": still.page(self, self.body, folded=self.done)}

    def attach(self, view: RunView) -> Detach:
        """Tell `view` of changes until the returned function is called."""
        self._views.append(view)

        def detach() -> None:
            if view in self._views:
                self._views.remove(view)

        return detach

    def _changed(self) -> None:
        for view in self._views:
            view.changed()

    async def _finished(self) -> object:
        with waits_for(self._waits_for):
            value, error = await asyncio.shield(self._done)
        ends, self._ends = self._ends, []
        for end in ends:
            end()  # no cell may have run at its end; this one does
        if isinstance(error, KeyboardInterrupt):
            raise TaskInterrupted(f"the run was cancelled: {error}")
        if error is not None:
            raise error
        return value

    def __repr__(self) -> str:
        return f"<{self.head()}>"
