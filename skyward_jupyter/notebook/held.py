"""What users hold of a ``%%sky`` cell: the run of one that goes on in the background, or of the last one."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from skyward_jupyter.errors import UnknownNode, UsageError
from skyward_jupyter.notebook.leftout import RunLog, keep
from skyward_jupyter.notebook.logbook import Line, LogBook
from skyward_jupyter.notebook.noderun import NodeRun
from skyward_jupyter.notebook.run import CellCourse


class CellLog:
    """The last lines of a run, of all its nodes."""

    def __init__(self, book: LogBook) -> None:
        self._book = book

    @property
    def missing(self) -> int:
        """How many lines there were that never came here."""
        return self._book.missing

    def tail(self, count: int) -> Sequence[Line]:
        """The last lines, each with its `ranks`, `stream` and `text`."""
        return self._book.tail(count)

    def __len__(self) -> int:
        return self._book.end - self._book.first

    def __repr__(self) -> str:
        return f"<log of {len(self):,} line{'' if len(self) == 1 else 's'}>"


class CellRun:
    """A cell that runs on nodes.

    ``await run`` and ``run.result()`` give what the cell gives: the values of its last expression in node order, or
    one value where it runs on one node by its ``--on``. They raise what the cell raises.
    """

    def __init__(self, course: CellCourse) -> None:
        self._inner = course
        self._log = CellLog(course.log)

    @property
    def name(self) -> str:
        """What it is called on lines of ``%sky``, as ``r3``; empty until it was sent."""
        return self._inner.name

    @property
    def ids(self) -> frozenset[int]:
        """Its numbers among the runs of the pool: one, or two where it began anew on nodes that had lost sessions."""
        return frozenset(self._inner.ids)

    @property
    def state(self) -> str:
        """``running``, ``done``, ``failed`` or ``cancelled``."""
        return self._inner.state

    @property
    def done(self) -> bool:
        """Whether it has ended."""
        return self._inner.done

    @property
    def nodes(self) -> Mapping[int, NodeRun]:
        """Each node's part, by its number; ``run[3]`` is the same."""
        return MappingProxyType(self._inner.nodes)

    @property
    def log(self) -> CellLog:
        """The last lines it wrote, of all nodes: ``run.log.tail(100)``."""
        return self._log

    def __getitem__(self, rank: int) -> NodeRun:
        """One node's part; raises UnknownNode for a node it does not run on."""
        if rank not in self._inner.nodes:
            raise UnknownNode(rank, max(self._inner.nodes, default=-1) + 1)
        return self._inner.nodes[rank]

    def __await__(self) -> Generator[Any, None, object]:
        return self._inner.__await__()

    def result(self, timeout: float | None = None) -> object:
        """Block until it has ended and return what it gives.

        Raises
        ------
        TimeoutError
            When it has not ended after `timeout` seconds; it goes on.
        """
        __tracebackhide__ = True
        return self._inner.result(timeout)

    def cancel(self) -> None:
        """Interrupt the code on all its nodes; called again, end the processes that run it."""
        self._inner.cancel()

    def __repr__(self) -> str:
        return repr(self._inner)

    def _ipython_display_(self) -> None:
        """Show it live while it goes on; what stays is text and HTML. In the cell that made it, it is shown already."""
        from IPython import get_ipython

        from skyward_jupyter.widgets.runs import present

        shell = get_ipython()
        if shell is None or shell.execution_count != self._inner.shown_in:
            present(self._inner)


_last: list[CellRun] = []


def remember(course: CellCourse) -> CellRun:
    """What users hold of a run, which is the last one from now on."""
    _last[:] = [CellRun(course)]
    keep(RunLog(course.ids, course.log, len(course.nodes) > 1))
    return _last[0]


def last_run() -> CellRun:
    """The run of the last ``%%sky`` cell, whether it goes on or not: its nodes, its log; shown when displayed.

    Its values are the cell's own: only a run in the background gives them again.

    Raises
    ------
    UsageError
        When there was none.
    """
    if not _last:
        raise UsageError("no %%sky cell has run yet")
    return _last[0]
