"""A bare page that hosts one widget with a mock model: its traits, the messages both ways, what it leaves running."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, Route

from skyward_jupyter.widgets.view import STATIC, built

HOST = "http://widgets.test"
MOCK = Path(__file__).with_name("mock.html")
KINDS = {".js": "text/javascript", ".css": "text/css", ".html": "text/html"}


@dataclass
class BarePage:
    """The page and its mock model, nothing rendered yet.

    Parameters
    ----------
    family
        Which widget: the name of its script and style sheet, and the end of its element's class.
    """

    page: Page
    family: str

    def __post_init__(self) -> None:
        if not built(self.family):
            pytest.skip("the widgets are not built; `make` builds them")
        self.page.route(f"{HOST}/**", self._serve)
        self.page.goto(f"{HOST}/mock.html?family={self.family}")
        self.page.wait_for_function("window.ready")

    @property
    def root(self) -> Locator:
        return self.page.locator(f".skyward-{self.family}")

    def render(self, **traits: object) -> None:
        """Render the widget with these traits."""
        self.page.evaluate("values => mock.render(values)", traits)

    def update(self, **traits: object) -> None:
        """Set traits as the kernel would."""
        self.page.evaluate("values => mock.set(values)", traits)

    def message(self, content: dict[str, Any], rows: list[list[float]] | None = None, *buffers: bytes) -> None:
        """Send a message as the kernel would, with one float32 buffer of `rows` and perhaps others."""
        others = [list(buffer) for buffer in buffers]
        # As JSON, as the kernel sends it: Playwright would take seconds for many lines.
        text = json.dumps(content, allow_nan=False)
        self.page.evaluate(
            "([text, rows, others]) => mock.custom(JSON.parse(text), rows, others)", [text, rows or [], others]
        )

    def sent(self, kind: str) -> list[dict[str, object]]:
        """Return what the page sent of one kind so far."""
        return [content for content in self.page.evaluate("mock.sent") if content["kind"] == kind]

    def until_sent(self, kind: str, count: int = 1) -> list[dict[str, object]]:
        """Wait until the page has sent `count` messages of one kind, and return them."""
        enough = "([kind, count]) => mock.sent.filter(sent => sent.kind === kind).length >= count"
        self.page.wait_for_function(enough, arg=[kind, count])
        return self.sent(kind)

    @staticmethod
    def _serve(route: Route) -> None:
        path = route.request.url.removeprefix(HOST).partition("?")[0]
        file = STATIC / path.removeprefix("/static/") if path.startswith("/static/") else MOCK
        route.fulfill(body=file.read_bytes(), content_type=KINDS[file.suffix])
