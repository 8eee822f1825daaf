"""The seam between a run and what shows it: neither side imports the other's module, both import this one.

A front end's messages may arrive on a thread of their own, so `RunSource.cancel` may be called from any; all else here
is called on the runtime's loop only.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Literal, Protocol, TypedDict

type NodeState = Literal["queued", "running", "done", "failed"]
type Detach = Callable[[], None]

STATES: tuple[NodeState, ...] = ("queued", "running", "done", "failed")


class RunSnapshot(TypedDict):
    """A run's slow state: JSON throughout, so it is a widget's trait as it stands.

    `state` is ``running``, ``done``, ``failed`` or ``cancelled``; `seconds` is how long it ran, 0 while it does;
    `started` is in seconds since the epoch. `nodes` has number, state and error of each. `stops` is how often it was
    asked to stop.
    """

    title: str
    state: str
    started: float
    seconds: float
    nodes: list[tuple[int, NodeState, str]]
    stops: int


class LoggedLine(Protocol):
    """A line of output: of which nodes (``0,2,4-6``), of which stream."""

    @property
    def ranks(self) -> str: ...

    @property
    def stream(self) -> str: ...

    @property
    def text(self) -> str: ...


class Log(Protocol):
    """The last lines of a run, numbered."""

    @property
    def first(self) -> int:
        """The number of the oldest line that is kept."""
        ...

    @property
    def end(self) -> int:
        """The number of the line that comes next."""
        ...

    @property
    def missing(self) -> int:
        """How many lines there were that never came here."""
        ...

    def lines(self, start: int, stop: int) -> Sequence[LoggedLine]:
        """The lines of these numbers, as far as they are kept."""
        ...


class RunView(Protocol):
    """Something that shows a run."""

    def changed(self) -> None:
        """Its slow state has changed."""
        ...


class RunSource(Protocol):
    """A run, as its views see it."""

    @property
    def log(self) -> Log:
        """What it writes."""
        ...

    @property
    def bars_version(self) -> int:
        """Grows when its progress bars change."""
        ...

    def bars_shown(self) -> Mapping[str, object]:
        """Its progress bars as a page wants them."""
        ...

    @property
    def pictures(self) -> Sequence[tuple[str, str]]:
        """What it displays that is no text: labels and HTML."""
        ...

    def snapshot(self) -> RunSnapshot:
        """Describe it as it is now."""
        ...

    def still(self) -> dict[str, object]:
        """Return the forms of it that need no kernel: a MIME bundle of text and HTML."""
        ...

    def attach(self, view: RunView) -> Detach:
        """Tell `view` of changes until the returned function is called."""
        ...

    def cancel(self) -> None:
        """Interrupt it; called again, end the processes that run it."""
        ...
