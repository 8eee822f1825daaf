"""The dashboard of the active pool in JupyterLab's side area.

A sidecar opens the area, and holds one output: the mark in whose place the dashboard's script draws it, or the text and
HTML of a pool that is over. Which front end is at the other end is not known here. So the dashboard itself says when it
is drawn in the side area; where that is not said within `WITHIN` seconds, the cell shows the dashboard.

Once the area is open it follows the active pool. All that a notebook keeps of it is the text of the cell.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from IPython.display import display, publish_display_data

from skyward_jupyter.actors.source import PanelSource
from skyward_jupyter.runtime.bridge import runtime
from skyward_jupyter.widgets import hosting
from skyward_jupyter.widgets.dashboard import FAMILY, Dashboard, of
from skyward_jupyter.widgets.hosting import Bundle
from skyward_jupyter.widgets.view import built

if TYPE_CHECKING:
    from sidecar import Sidecar

#: How long a page has to draw the dashboard in the side area before the cell shows it as well.
WITHIN = 5.0
TITLE = "Skyward"
OPENS = "The side area opens with the dashboard of the active pool."
OPENED = "The dashboard of the active pool is in the side area; %sky dock off closes it."
CLOSED = "The side area is closed."


def possible() -> bool:
    """Whether there may be a side area at the other end."""
    return hosting.has_areas() and built(FAMILY) and find_spec("sidecar") is not None


class Dock:
    """An open side area, and the cell that opened it.

    Parameters
    ----------
    source
        The pool to show first.
    """

    def __init__(self, source: PanelSource) -> None:
        from sidecar import Sidecar

        self._cell = uuid4().hex
        self._view: Dashboard | None = None
        self._in_cell = False
        display(_text(OPENS), raw=True, display_id=self._cell)
        self._sidecar: Sidecar = Sidecar(title=TITLE)
        self._clock: asyncio.TimerHandle | None = None
        self._closed = False
        self._show(source)
        runtime().call_soon(self._wind)

    def follow(self, source: PanelSource | None) -> None:
        """Show another pool, unless it is the one that is shown; None leaves the last one, which shows its end."""
        if source is not None and not self._closed and (self._view is None or self._view.source is not source):
            self._show(source)

    def close(self) -> None:
        """Close the area; the cell that opened it says so, unless it shows the dashboard."""
        if self._closed:
            return
        self._closed = True
        self._unwind()
        self._let_go()
        self._sidecar.close()
        if not self._in_cell:
            self._say(_text(CLOSED))

    def _show(self, source: PanelSource) -> None:
        self._let_go()
        self._view = view = of(source)
        view.docked = self._drawn
        view.stand(partial(self._renew, view))
        self._fill(view.bundle())

    def _let_go(self) -> None:
        if self._view is not None:
            self._view.docked = None

    def _renew(self, view: Dashboard, bundle: Bundle) -> None:
        """Show the end of a pool; while it lives its script does all."""
        if view is self._view and view.over and not self._closed:
            self._fill(bundle)

    def _fill(self, bundle: Bundle) -> None:
        said = hosting.metadata()
        self._sidecar.outputs = ({"output_type": "display_data", "data": bundle, "metadata": said},)

    def _drawn(self) -> None:
        """A page has drawn it in the side area; any thread."""
        runtime().call_soon(self._settle)

    def _settle(self) -> None:
        self._unwind()
        if not self._closed:
            self._in_cell = False
            self._say(_text(OPENED))
            if self._view is not None:
                # The page closes what the kernel before a restart had there.
                self._view.send({"kind": "area", "id": self._sidecar.model_id})

    def _wind(self) -> None:
        self._clock = runtime().loop.call_later(WITHIN, self._give_up)

    def _unwind(self) -> None:
        if self._clock is not None:
            self._clock.cancel()

    def _give_up(self) -> None:
        """No side area is seen: show the dashboard in the cell."""
        view = self._view
        if view is None or self._closed:
            return
        self._in_cell = True
        self._say(view.bundle())
        view.stand(lambda bundle: self._say(bundle) if self._in_cell else None)

    def _say(self, bundle: Bundle) -> None:
        update: Callable[..., Any] = publish_display_data
        contextvars.Context().run(update, bundle, hosting.metadata(), transient={"display_id": self._cell}, update=True)


def _text(sentence: str) -> Bundle:
    return {"text/plain": sentence}
