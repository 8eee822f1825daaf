"""Which runs have a live view: made when one is first shown, closed when the run is over.

Cheap to import: what draws widgets is loaded with the first of them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol
from uuid import uuid4

from IPython.display import display, publish_display_data

from skyward_jupyter.runtime.cells import kernel_shell
from skyward_jupyter.widgets import hosting
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


def live(run: Run, stand: Callable[[dict[str, Any]], object], *, opened: bool) -> dict[str, Any] | None:
    """Return the bundle that shows a run live; None where no front end can, or when it is over.

    While the run goes on, `stand` is given what is to take the bundle's place now and then.
    """
    if run.done or kernel_shell() is None:
        return None
    from skyward_jupyter.widgets.run import FAMILY, RunWidget
    from skyward_jupyter.widgets.view import built

    if not built(FAMILY):
        return None
    if id(run) not in _widgets:
        _widgets[id(run)] = RunWidget(run, opened=opened)
    widget = _widgets[id(run)]
    widget.stand(stand)
    return widget.bundle()


def drop(run: Run) -> None:
    """Close the live view of a run, if it has one."""
    if widget := _widgets.pop(id(run), None):
        widget.close()


def present(run: Run) -> None:
    """Display a run: live while it goes on, and its text and HTML from its end on."""
    place = uuid4().hex

    def stand(bundle: dict[str, Any]) -> None:
        publish_display_data(bundle, hosting.metadata(), transient={"display_id": place}, update=True)

    bundle = live(run, stand, opened=True) or run.still()
    display(bundle, raw=True, display_id=place, metadata=hosting.metadata())
    if not run.done:
        run.at_end(lambda: stand(run.still()))
