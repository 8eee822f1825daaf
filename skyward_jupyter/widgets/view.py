"""What every live view is: a widget model that follows something, and the text and HTML that outlive it.

One subject has one model, however often it is displayed. While it lives, a display has the widget, and text and HTML
for who cannot show that; when it is over, what `present` has shown is replaced by text and HTML alone, which stay
readable in a saved notebook that is opened where no widget can run.

A front end's messages may arrive on a subshell thread, so what a view does with them touches no trait there: traits are
set on the runtime's loop only.

Without the built script (a fresh checkout before `make`) everything here still works, and a page says what is missing.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from anywidget import AnyWidget
from IPython.display import DisplayHandle, display

from skyward_jupyter.api.viewing.sight import Sights
from skyward_jupyter.widgets.beats import Beats

type Bundle = dict[str, Any]
type Detach = Callable[[], None]

STATIC = Path(__file__).parent.parent / "static"
UNBUILT = "The live dashboard is not built here: run `make` in the project's folder, then restart the kernel."
MIME = "application/vnd.jupyter.widget-view+json"

_STUB = f"export default {{ render({{ el }}) {{ el.textContent = {json.dumps(UNBUILT)}; }} }};"


def built(family: str) -> bool:
    """Tell whether the script and the style sheet of a view are there."""
    return all((STATIC / f"{family}{suffix}").is_file() for suffix in (".js", ".css"))


def page(family: str) -> tuple[Path | str, Path | str]:
    """The script and the style sheet of a view."""
    return (STATIC / f"{family}.js", STATIC / f"{family}.css") if built(family) else (_STUB, "")


class View(AnyWidget):
    """The widget model of one subject: `_esm` and `_css` are the class's `page`."""

    _attached: Detach | None = None
    """Ends following the subject."""

    def __init__(self, **traits: object) -> None:
        self._sights = Sights()
        self._handles: list[DisplayHandle] = []
        self._beats = Beats(lambda: self.send({"kind": "beat"}), lambda: self.ended_there)
        super().__init__(**traits)
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

    def still(self) -> Bundle:
        """The forms that need no kernel."""
        raise NotImplementedError

    def _see(self, view: str, visible: bool) -> None:
        """A page's view is on a screen, or not any more; any thread."""
        raise NotImplementedError

    def _hear(self, content: Mapping[str, object]) -> None:
        """A page says something else; any thread."""
        raise NotImplementedError

    def _forget(self) -> None:
        """The widget is closed: the next display makes a new one."""

    # -- what all do -----------------------------------------------------------------------------------------------

    def bundle(self) -> Bundle:
        """What displays it now: the widget while it lives, text and HTML always."""
        bundle = self.still()
        if not self.over:
            bundle[MIME] = {"version_major": 2, "version_minor": 0, "model_id": self.model_id}
        return bundle

    def _repr_mimebundle_(self, **kwargs: object) -> tuple[Bundle, Bundle]:
        return self.bundle(), {}

    def settle(self, handle: DisplayHandle) -> None:
        """Replace what `handle` displays by text and HTML when it is over."""
        self._handles.append(handle)

    def renew(self) -> None:
        """Give what was presented the text and HTML of now: they are what a saved notebook has."""
        for handle in self._handles:
            handle.update(self.bundle(), raw=True)

    def close(self) -> None:
        """Close the widget in every front end and follow nothing any longer."""
        if self._attached is not None:
            self._leave()
            self._forget()
        self._beats.stop()
        super().close()

    def _leave(self) -> None:
        if self._attached is not None:
            self._attached()

    def _settled(self) -> None:
        """It is over, and says so: only text and HTML remain."""
        self.renew()
        self._handles.clear()

    def _receive(self, _widget: object, content: Mapping[str, object], _buffers: object) -> None:
        match content:
            case {"kind": "visible", "visible": bool(visible), "view": str(view)}:
                self._beats.see(view, visible)
                self._see(view, visible)
            case _:
                self._hear(content)


def present(bundle: Bundle, view: View | None) -> None:
    """Display a bundle; when its view is over, only text and HTML remain there."""
    handle = display(bundle, raw=True, display_id=True)
    if view is not None and handle is not None and not view.over:
        view.settle(handle)
