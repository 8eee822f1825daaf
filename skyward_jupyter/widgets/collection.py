"""The live view of a collection: a table, a curve or a list of who waits, as its kind has it.

One collection has one widget model and one feed, however often it is displayed; each view has a window of its own.
When the pool is over the model keeps what was seen last. To display one reads it once, for the forms that need no
kernel, within seconds; where a cell may not wait, it is displayed without.

What a page says is handed to the runtime's loop, where the feed lives.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import traitlets

from skyward_jupyter.actors.hub import Hub
from skyward_jupyter.api import registry
from skyward_jupyter.api.viewing.feed import Feed, glance
from skyward_jupyter.api.viewing.keylist import Window
from skyward_jupyter.errors import SkywardError
from skyward_jupyter.runtime.bridge import runtime, wait
from skyward_jupyter.widgets.sketch import Sketch
from skyward_jupyter.widgets.view import UNBUILT, Bundle, View, built, page
from skyward_jupyter.widgets.view import present as display

if TYPE_CHECKING:
    from skyward_jupyter.collections.collection import Collection

type Content = dict[str, Any]

FAMILY = "collection"

SILENT = 30.0
"""Seconds for which nodes that did not answer are not asked again at the end of a cell."""

_views: dict[tuple[str, str, str], CollectionView] = {}
"""The view of each collection by its pool's name, its kind and its name: of the pool that had this name last."""


class CollectionView(View):
    """The widget model of one collection.

    Parameters
    ----------
    first
        What is known of it now; empty for nothing.
    """

    _esm, _css = page(FAMILY)

    about = traitlets.Dict().tag(sync=True)
    shown = traitlets.Dict().tag(sync=True)
    ended = traitlets.Float(0.0).tag(sync=True)

    def __init__(self, collection: Collection, hub: Hub, first: Content) -> None:
        self.hub = hub
        self._silent = 0.0
        super().__init__(about=about(collection), shown=first)
        self._feed = Feed(collection.pool, hub, collection._address, _Screen(self))
        self._attached = registry.pool(collection.pool)._inner.panel.attach(self._feed)

    @property
    def over(self) -> bool:
        """Whether its pool is."""
        return bool(self.ended)

    @property
    def sketch(self) -> Sketch:
        """What is known of it now, for the forms that are not live."""
        known = max(self.shown, self._feed.known(), key=_read_at)
        return Sketch(self.about, known, over=self.over)

    @property
    def gist(self) -> object:
        """What its text says."""
        return self.sketch.plain()

    def still(self) -> Bundle:
        """The forms that need no kernel."""
        return forms(self.sketch)

    async def look(self) -> None:
        """Read it: also what is followed may have changed just now. What did not answer is left alone for a while."""
        if self.over or time.monotonic() < self._silent:
            return
        self._silent = time.monotonic() + SILENT
        with contextlib.suppress(SkywardError):
            content = await glance(self.about["pool"], self._feed.address)
            if content.get("read"):
                self._silent = 0.0
                self.refresh(content)

    @property
    def fresh(self) -> bool:
        """Whether what is known is what is."""
        return self._feed.fresh

    def refresh(self, content: Content) -> None:
        """Views that appear from now on begin with this."""
        if content and not self.over and _read_at(content) >= _read_at(self.shown):
            self.shown = content

    def finish(self, content: Content) -> None:
        """Show what was seen last; nothing follows."""
        self._leave()
        with self.hold_sync():
            self.shown = max(self.shown, content, key=_read_at)
            self.ended = time.time()
        self._settled()

    def _forget(self) -> None:
        self._feed.leave()
        _views.pop(_place(self.about), None)

    def _see(self, view: str, visible: bool) -> None:
        runtime().call_soon(self._feed.see, view, visible)

    def _hear(self, content: Mapping[str, object]) -> None:
        match content:
            case {"kind": "window", "view": str(view)}:
                runtime().call_soon(self._feed.look, view, Window.asked(content))


class _Screen:
    """The widget as its feed knows it: a widget's own `close` means another thing."""

    def __init__(self, view: CollectionView) -> None:
        self._view = view

    def show(self, content: Content) -> None:
        self._view.send({"kind": "state", **content})

    def close(self, content: Content) -> None:
        self._view.finish(content)


def show(collection: Collection) -> Bundle:
    """The MIME bundle that displays a collection: live where that can be, text and HTML always."""
    known = _views.get(_place(about(collection)))
    hub = _hub(collection)
    if known is not None and (hub is None or known.hub is hub):
        if hub is not None and not known.fresh:
            known.refresh(_read(collection)[0])
        return known.bundle()
    content, note = _read(collection)
    sketch = Sketch(about(collection), content, note)
    if hub is None or not runtime().in_kernel:
        return forms(sketch)
    if not built(FAMILY):
        return forms(Sketch(sketch.about, content, UNBUILT))
    view = _views[_place(sketch.about)] = CollectionView(collection, hub, content)
    return view.bundle()


def present(collection: Collection) -> None:
    """Display a collection as `show` does; when its pool is over, only text and HTML remain there."""
    bundle = show(collection)
    display(bundle, _views.get(_place(about(collection))))


def forms(sketch: Sketch) -> Bundle:
    """The forms that need no kernel."""
    return {"text/plain": sketch.plain(), "text/html": sketch.html()}


def about(collection: Collection) -> dict[str, Any]:
    """What a collection is, for a page."""
    address = collection._address
    return {
        "kind": address.kind,
        "name": address.name,
        "pool": collection.pool,
        "consistency": address.consistency if address.kind not in ("barrier", "lock") else "",
    }


def _read_at(content: Content) -> float:
    at: float = content.get("read", 0.0)
    return at


def _place(known: Mapping[str, Any]) -> tuple[str, str, str]:
    return known["pool"], known["kind"], known["name"]


def _hub(collection: Collection) -> Hub | None:
    """The pool of a collection, while it runs."""
    for pool in registry.pools():
        if pool.name == collection.pool and pool._inner.panel is not None:
            return pool._inner.panel.hub
    return None


def _read(collection: Collection) -> tuple[Content, str]:
    """What a collection is now, if it may be waited for here, or why that cannot be said."""
    here = runtime()
    if not here.may_block():
        return {}, ""
    try:
        return wait(glance(collection.pool, collection._address)), ""
    except SkywardError as error:
        return {}, str(error)
