"""What a run in the background displays, as HTML: its cell has ended, so that it can have no outputs of its own.

Only so much is kept; what is beyond is counted. Scripts in it do not run.
"""

from __future__ import annotations

import base64
import html
from collections.abc import Mapping

#: How many displays are kept, and how many characters of HTML.
MOST = 40
CHARACTERS = 8_000_000
#: Images that HTML can hold, the first choice first.
IMAGES = ("image/png", "image/jpeg", "image/gif", "image/svg+xml")


class Pictures:
    """The displays of a run.

    Attributes
    ----------
    shown
        Their labels and HTML, in order; one that is updated has its last state.
    hidden
        How many came when there was no room any more.
    """

    def __init__(self) -> None:
        self.shown: list[tuple[str, str]] = []
        self.hidden = 0
        self._places: dict[str, int] = {}
        self._refused: set[str] = set()

    def add(self, name: str, data: Mapping[str, object], key: str = "", *, update: bool = False) -> None:
        """Keep a display; one that updates an earlier one takes its place."""
        picture = name, as_html(data)
        place = self._places.get(key) if update else None
        room = CHARACTERS - sum(len(page) for _, page in self.shown) - len(picture[1])
        if place is not None and room + len(self.shown[place][1]) >= 0:
            self.shown[place] = picture[0] or self.shown[place][0], picture[1]
        elif place is not None or len(self.shown) >= MOST or room < 0:
            self._refuse(key)
        else:
            if key:
                self._places[key] = len(self.shown)
            self.shown.append(picture)

    def _refuse(self, key: str) -> None:
        """Count what has no room; one that is told of again and again counts once."""
        self.hidden += key not in self._refused
        self._refused.update([key] if key else [])

    def clear(self) -> None:
        """Forget them."""
        self.shown.clear()
        self._places.clear()
        self._refused.clear()
        self.hidden = 0


def as_html(data: Mapping[str, object], metadata: Mapping[str, object] | None = None, name: str = "") -> str:
    """The richest form of a MIME bundle that is HTML, or can be put into it; an image is spoken of as `name`."""
    text = str(data.get("text/plain", ""))
    if isinstance(page := data.get("text/html"), str):
        return page
    for kind in IMAGES:
        if kind in data:
            alt = html.escape(f"{name} {text}".strip())
            style = _image_style((metadata or {}).get(kind))
            return f'<img alt="{alt}" style="{style}" src="data:{kind};base64,{_base64(kind, data[kind])}">'
    return f'<pre style="margin:0;white-space:pre-wrap">{html.escape(text)}</pre>'


def _image_style(said: object) -> str:
    """How an image is drawn by what its metadata say: as wide as told, and legible where it is transparent."""
    style = "max-width:100%;height:auto"
    if isinstance(said, Mapping):
        if isinstance(width := said.get("width"), int | float):
            style += f";width:{int(width)}px"
        if (background := said.get("needs_background")) in ("light", "dark"):
            style += f";background:{'#fff' if background == 'light' else '#111'}"
    return style


def _base64(kind: str, value: object) -> str:
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    text = "".join(str(value).split()) if kind != "image/svg+xml" else str(value)
    return text if kind != "image/svg+xml" else base64.b64encode(text.encode()).decode()
