"""What every live view is: a widget model that follows something, and the text and HTML that outlive it.

One subject has one model, however often it is displayed. A display is text and HTML, which say how the subject is now
(see `skyward_jupyter.widgets.keeping`), and in whose place the widget is drawn (see `skyward_jupyter.widgets.hosting`).
When the subject is over, what `present` has shown is replaced by its final text and HTML, and the widget goes.

A front end's messages may arrive on a subshell thread, so what a view does with them touches no trait there: traits are
set on the runtime's loop only.

Without the built script (a fresh checkout before `make`) everything here still works, and a page says what is missing.
"""

from __future__ import annotations

import contextvars
import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from uuid import uuid4

import traitlets
from anywidget import AnyWidget
from IPython.display import display, publish_display_data

from skyward_jupyter.api.viewing.sight import Sights
from skyward_jupyter.widgets import hosting, keeping
from skyward_jupyter.widgets.beats import Beats
from skyward_jupyter.widgets.hosting import MIME, Bundle

type Detach = Callable[[], None]
type Stand = Callable[[Bundle], object]

STATIC = Path(__file__).parent.parent / "static"
UNBUILT = "The live dashboard is not built here: run `make` in the project's folder, then restart the kernel."

LEFT_ALONE = 30.0
"""Seconds between two drawings of a widget that somebody sees, where it is drawn anew to renew what is kept."""

_STUB = f"export default {{ render({{ el }}) {{ el.textContent = {json.dumps(UNBUILT)}; }} }};"

__all__ = ["MIME", "STATIC", "UNBUILT", "Bundle", "Detach", "Stand", "View", "built", "page", "present"]


def built(family: str) -> bool:
    """Tell whether the script and the style sheet of a view are there."""
    return all((STATIC / f"{family}{suffix}").is_file() for suffix in (".js", ".css"))


def page(family: str) -> tuple[Path | str, Path | str]:
    """The script and the style sheet of a view."""
    return (STATIC / f"{family}.js", STATIC / f"{family}.css") if built(family) else (_STUB, "")


class View(AnyWidget):
    """The widget model of one subject: `_esm` and `_css` are the class's `page`."""

    place = traitlets.Unicode("").tag(sync=True)
    """What marks, in a page, where it is drawn."""

    _attached: Detach | None = None
    """Ends following the subject."""

    docked: Callable[[], None] | None = None
    """Called whenever a page draws it in the side area; any thread."""

    def __init__(self, **traits: object) -> None:
        self._sights = Sights()
        self._beats = Beats(lambda: self.send({"kind": "beat"}), lambda: self.ended_there)
        self._stands: list[Stand] = []
        self._presented = False
        self._kept: object = None
        self._renewed = 0.0
        super().__init__(place=uuid4().hex, **traits)
        self.on_msg(self._receive)

    # -- what a view of something says of it -----------------------------------------------------------------------

    @property
    def over(self) -> bool:
        """Whether nothing follows."""
        raise NotImplementedError

    @property
    def ended_there(self) -> bool:
        """Whether its pages expect nothing any more."""
        return self.over

    @property
    def gist(self) -> object:
        """What of it is worth being kept: where this is another, so are its text and HTML."""
        raise NotImplementedError

    def still(self) -> Bundle:
        """The forms that need no kernel."""
        raise NotImplementedError

    async def look(self) -> None:
        """Find out how the subject is now, where that has to be asked for."""

    def _see(self, view: str, visible: bool) -> None:
        """A page's view is on a screen, or not any more; any thread."""
        raise NotImplementedError

    def _hear(self, content: Mapping[str, object]) -> None:
        """A page says something else; any thread."""
        raise NotImplementedError

    def _forget(self) -> None:
        """The widget is closed: the next display makes a new one."""

    # -- what all do -----------------------------------------------------------------------------------------------

    def open(self) -> None:
        """Make the widget known to the front end, if somebody may look at it."""
        if hosting.watched():
            super().open()

    def bundle(self) -> Bundle:
        """What displays it now: text and HTML, in whose place the widget is drawn while it lives."""
        still = self.still()
        if self.over:
            return still
        self.open()
        return hosting.joined(still, self.place, self.model_id) if self.comm is not None else still

    def _repr_mimebundle_(self, **kwargs: object) -> tuple[Bundle, Bundle]:
        return self.bundle(), hosting.metadata()

    def present(self, bundle: Bundle) -> None:
        """Display it; what is displayed says how it is from now on."""
        if self.over:
            display(bundle, raw=True)
            return
        display(bundle, raw=True, display_id=self.place, metadata=hosting.metadata())
        if not self._presented:
            self._presented = True
            self.stand(self._replace)

    def stand(self, stand: Stand) -> None:
        """Have `stand` replace what displays it, now and then while it lives and once at the end."""
        self._stands.append(stand)
        self._kept, self._renewed = self.gist, time.monotonic()
        keeping.keep(self)

    def keep(self) -> None:
        """Give what displays it the text and HTML of now, if they are others.

        Where that draws the widget anew, somebody who looks at it is left alone for a while.
        """
        now = time.monotonic()
        if self.over or (hosting.redraws() and self._sights and now - self._renewed < LEFT_ALONE):
            return
        if (gist := self.gist) != self._kept:
            self._kept, self._renewed = gist, now
            self.renew()

    def renew(self) -> None:
        """Give what displays it the text and HTML of now: they are what a saved notebook has."""
        bundle = self.bundle()
        for stand in self._stands:
            # As part of the cell that runs now: who executes notebooks hears of no other.
            contextvars.Context().run(stand, bundle)

    def close(self) -> None:
        """Close the widget in every front end and follow nothing any longer."""
        keeping.leave(self)
        if self._attached is not None:
            self._leave()
            self._forget()
        self._beats.stop()
        super().close()

    def _replace(self, bundle: Bundle) -> None:
        said = {} if self.over else hosting.metadata()
        publish_display_data(bundle, said, transient={"display_id": self.place}, update=True)

    def _leave(self) -> None:
        if self._attached is not None:
            self._attached()

    def _settled(self) -> None:
        """It is over, and says so: only text and HTML remain."""
        self.renew()
        self._stands.clear()
        keeping.leave(self)

    def _receive(self, _widget: object, content: Mapping[str, object], _buffers: object) -> None:
        match content:
            case {"kind": "visible", "visible": bool(visible), "view": str(view)}:
                self._beats.see(view, visible)
                self._see(view, visible)
            case {"kind": "docked"}:
                if (told := self.docked) is not None:
                    told()
            case _:
                self._hear(content)


def present(bundle: Bundle, view: View | None) -> None:
    """Display a bundle; when its view is over, only text and HTML remain there."""
    if view is None:
        display(bundle, raw=True)
    else:
        view.present(bundle)
