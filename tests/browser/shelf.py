"""A bare page with the view of a collection, whose tables are those that the kernel keeps, with nothing behind them."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

from playwright.sync_api import Locator

from skyward_jupyter.api.viewing.keylist import Window
from skyward_jupyter.api.viewing.table import Table
from skyward_jupyter.collections import keys
from skyward_jupyter.collections.watch import Changes
from tests.browser.bare import BarePage
from tests.unit.api.viewing.shelf import Shelf


@dataclass
class CollectionPage(BarePage):
    """The page with the model of a collection's view."""

    family: str = "collection"
    windows: dict[str, Window] = field(default_factory=dict)
    shelf: Shelf = field(default_factory=lambda: Shelf({}))
    table: Table = field(default_factory=lambda: Table(valued=True))
    answered: int = 0

    def show(self, kind: str, body: dict[str, Any] | None = None, *, over: bool = False, **about: str) -> None:
        """Render the view of a collection that stands so."""
        named = {"kind": kind, "name": "results", "pool": "brisk-otter", "consistency": "strong", **about}
        shown = {} if body is None else self.content(body)
        self.render(about=named, shown=shown, ended=time.time() if over else 0)

    def show_table(self, content: dict[Any, Any], kind: str = "dict") -> None:
        """Render the view of a dict, or of a set of the keys, and answer what it asks for first."""
        self.shelf, self.table = Shelf(content), Table(valued=kind == "dict")
        self.show(kind)
        self.answer()

    def tell(self, body: dict[str, Any], note: str = "") -> None:
        """Tell the page how the collection stands now."""
        self.message({"kind": "state", **self.content(body, note)})

    def answer(self) -> None:
        """Wait until the page asks for a window, and answer as the kernel would."""
        self.until_sent("window", self.answered + 1)
        self.answered = len(self.sent("window"))
        asked = self.sent("window")[-1]
        self.windows[str(asked["view"])] = Window.asked(asked)
        self.publish()

    def change(self, **changed: Any) -> None:
        """Some keys have other values, or none: `None` removes one."""
        for key, value in changed.items():
            if value is None:
                self.shelf.drop(key)
            else:
                self.shelf.put(key, value)
        self.table.heard(Changes(tuple(map(keys.encoded, changed))))
        self.publish()

    def publish(self) -> None:
        """Read what is to be read, and tell the page."""
        while self.table.pause(self.windows) <= 0:
            # Playwright keeps a loop running on this thread; there is nothing to wait for here, so none is needed.
            finish(self.table.read(self.shelf, self.windows))  # type: ignore[arg-type]
        self.tell(self.table.body(self.windows))

    @property
    def rows(self) -> Locator:
        return self.root.locator("tbody tr")

    @staticmethod
    def content(body: dict[str, Any], note: str = "") -> dict[str, Any]:
        now = time.time()
        return {"read": now, "at": now, "note": note, "body": body}


def finish(work: Any) -> None:
    """Run a coroutine that never waits."""
    try:
        work.send(None)
    except StopIteration:
        return
    raise RuntimeError("it waits for something")
