"""Which runs have a live view: made when one is first shown, closed when the run is over.

Cheap to import: what draws widgets is loaded with the first of them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from IPython.display import display

from skyward_jupyter.runtime.cells import kernel_shell
from skyward_jupyter.widgets.runsource import RunSource

if TYPE_CHECKING:
    from skyward_jupyter.widgets.run import RunWidget


class Run(RunSource, Protocol):
    """A run that tells of its end."""

    @property
    def done(self) -> bool:
        """Whether it is over."""
        ...

    def at_end(self, call: Callable[[], None]) -> None:
        """Have something done when it is."""
        ...


_widgets: dict[int, RunWidget] = {}
"""The widget of each run by the run's id, which stays its own: a widget keeps its run."""


def live(run: Run, *, opened: bool) -> dict[str, object] | None:
    """Return the bundle that shows a run live; None where no front end can, or when it is over."""
    if run.done or kernel_shell() is None:
        return None
    from skyward_jupyter.widgets.run import FAMILY, RunWidget
    from skyward_jupyter.widgets.view import built

    if not built(FAMILY):
        return None
    if id(run) not in _widgets:
        _widgets[id(run)] = RunWidget(run, opened=opened)
    return _widgets[id(run)].bundle()


def drop(run: Run) -> None:
    """Close the live view of a run, if it has one."""
    if widget := _widgets.pop(id(run), None):
        widget.close()


def present(run: Run) -> None:
    """Display a run: live while it goes on, and its text and HTML from its end on."""
    bundle = live(run, opened=True)
    handle = display(bundle or run.still(), raw=True, display_id=True)
    if not run.done and handle is not None:
        run.at_end(lambda: handle.update(run.still(), raw=True))
