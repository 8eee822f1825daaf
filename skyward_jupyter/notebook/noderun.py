"""One node's part of a run: how it stands, and what it wrote there."""

from __future__ import annotations

from dataclasses import dataclass, field

from skyward_jupyter.agent.cells import Bundle, CellError
from skyward_jupyter.notebook.tracebacks import plain
from skyward_jupyter.widgets.runsource import NodeState
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
        ``queued`` behind another run, ``running``, ``done`` or ``failed``.
    output
        What it wrote, both streams together; of more than a million characters, the last.
    shown
        How its last expression shows.
    reason
        What the error says that ended it; empty when there was none.
    dropped
        Bytes of output that the node could not keep until they were read.
    """

    rank: int
    state: NodeState = "queued"
    shown: Bundle | None = None
    dropped: int = 0
    _error: CellError | BaseException | None = None
    _text: list[str] = field(default_factory=list)
    _size: int = 0

    @property
    def output(self) -> str:
        """What it wrote so far."""
        self._text[:] = ["".join(self._text)[-_OUTPUT:]]
        self._size = len(self._text[0])
        return self._text[0]

    @property
    def reason(self) -> str:
        """What its error says; empty when there is none."""
        if isinstance(self._error, CellError):
            return f"{self._error.name}: {plain(self._error.text)}"
        return "" if self._error is None else str(self._error)

    def __repr__(self) -> str:
        return f"<node {self.rank}: {self.state}{f': {self.reason}' if self.reason else ''}>"


def take(node: NodeRun, event: object) -> None:
    """Keep what a node writes, as it comes."""
    if isinstance(event, Dropped):
        node.dropped += event.size
    if isinstance(event, Output):
        node._text.append(event.text)
        node._size += len(event.text)
        if node._size > 2 * _OUTPUT:
            _ = node.output
