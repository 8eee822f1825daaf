"""A row of displays as HTML and as text: each under its nodes, the first four in sight, the others one click away.

The HTML needs no script and no style sheet, and its parts cannot break each other: HTML whose tags do not match, or
with scripts, which would run again each time the row is drawn, has no place in a row; nor has what a front end draws
by a renderer of its own.
"""

from __future__ import annotations

import base64
import binascii
import struct
from collections.abc import Mapping, Sequence
from functools import lru_cache
from html.parser import HTMLParser

from skyward_jupyter.notebook.pictures import IMAGES, as_html
from skyward_jupyter.notebook.ranks import compact, label
from skyward_jupyter.notebook.rows import Figure

#: How many displays are in sight at once,
IN_SIGHT = 4
#: how wide one is at least, in pixels, where there is more than one on a line,
WIDTH = 240
#: and how long HTML may be that goes into a row, in characters.
LONGEST = 200_000
_FONT = "font-family:var(--jp-code-font-family,monospace);font-size:13px"
_QUIET = f"opacity:.7;{_FONT}"
_GAP = "gap:10px 16px"
_VOID = frozenset(
    ("area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source", "track", "wbr")
)
#: Elements that HTML lets end without saying so.
_OPEN_ENDED = frozenset(
    ("p", "li", "dt", "dd", "tr", "td", "th", "thead", "tbody", "tfoot", "colgroup", "option", "optgroup", "rt", "rp")
)
_REFUSED = frozenset(("script", "plaintext", "noscript"))


def fits(data: Mapping[str, object]) -> bool:
    """Whether a MIME bundle can stand in a row."""
    if any(kind.startswith("application/vnd.") or kind.endswith("javascript") for kind in data):
        return False
    if isinstance(page := data.get("text/html"), str):
        return len(page) <= LONGEST and _whole(page)
    return any(kind in data for kind in IMAGES)


def page(figures: Sequence[Figure]) -> str:
    """The displays as one HTML element."""
    shown, others = figures[:IN_SIGHT], figures[IN_SIGHT:]
    parts = [_line(shown)]
    if others:
        nodes, seen = (len({rank for one in some for rank in one.ranks}) for some in (figures, shown))
        said = f"{seen} of {nodes} nodes; show the other{'s' * (nodes - seen != 1)}"
        summary = f'<summary style="{_QUIET};cursor:pointer;margin:8px 0">{said}</summary>'
        parts.append(f"<details>{summary}{_line(others)}</details>")
    return f'<div style="line-height:1.4">{"".join(parts)}</div>'


def plain(figures: Sequence[Figure]) -> str:
    """The displays as text, equal ones once."""
    ranks: dict[str, list[int]] = {}
    for figure in figures:
        ranks.setdefault(str(figure.data.get("text/plain", "(a display)")), []).extend(figure.ranks)
    return "\n".join(f"{label(found)}{chr(10) if chr(10) in text else ' '}{text}" for text, found in ranks.items())


def _line(figures: Sequence[Figure]) -> str:
    """Displays beside each other: images in columns of one width, all else as wide as it is."""
    widths = [_width(figure) for figure in figures]
    cells = [_cell(figure, width) for figure, width in zip(figures, widths, strict=True)]
    if None in widths:
        style = f"display:flex;flex-wrap:wrap;align-items:flex-start;{_GAP}"
    else:
        least = min(WIDTH, max(width or WIDTH for width in widths))
        style = f"display:grid;grid-template-columns:repeat(auto-fit,minmax({least}px,1fr));{_GAP}"
    return f'<div style="{style}">{"".join(cells)}</div>'


def _cell(figure: Figure, width: int | None) -> str:
    """A display under the label of its nodes."""
    heading, body = f'<figcaption style="{_QUIET}">{label(figure.ranks)}</figcaption>', _body(figure)
    if width is not None:
        bound = f";max-width:{width}px" if width else ""
        return f'<figure style="margin:0;min-width:0{bound}">{heading}{body}</figure>'
    least = "" if "<table" in body or "<img" in body else f";min-width:{WIDTH}px"
    box = f'<div style="overflow:auto;max-height:32em">{body}</div>'
    return f'<figure style="margin:0;max-width:100%{least}">{heading}{box}</figure>'


def _body(figure: Figure) -> str:
    """A display as HTML; as its text, where it was updated to what can stand in no row."""
    if not figure.body:
        if fits(figure.data):
            figure.body = as_html(figure.data, figure.metadata, f"node {compact(figure.ranks)}:")
        else:
            figure.body = as_html({"text/plain": figure.data.get("text/plain", "(a display)")})
    return figure.body


def _width(figure: Figure) -> int | None:
    """How wide an image is, 0 when it does not say; None for what is no image."""
    kind = next((kind for kind in IMAGES if kind in figure.data), None)
    if kind is None or "text/html" in figure.data or not _body(figure).startswith("<img"):
        return None
    said = figure.metadata.get(kind)
    if isinstance(said, Mapping) and isinstance(width := said.get("width"), int | float):
        return int(width)
    return _png_width(figure.data[kind]) if kind == "image/png" else 0


def _png_width(value: object) -> int:
    try:
        head = value[:24] if isinstance(value, bytes) else base64.b64decode(str(value)[:32])
        return int(struct.unpack(">I", head[16:20])[0]) if head.startswith(b"\x89PNG") else 0
    except (binascii.Error, struct.error):
        return 0


@lru_cache(maxsize=32)
def _whole(page: str) -> bool:
    """Whether HTML ends what it begins, and nothing else."""
    reader = _Tags()
    reader.feed(page)
    return not reader.wrong and reader.rawdata.lstrip()[:1] in ("", "&") and _OPEN_ENDED.issuperset(reader.open)


class _Tags(HTMLParser):
    """Reads which elements are open, and whether one ended that was not."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=False)
        self.open: list[str] = []
        self.wrong = False

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.wrong = self.wrong or tag in _REFUSED
        if tag not in _VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: object) -> None:
        if not {"svg", "math"}.intersection(self.open):  # elsewhere the slash means nothing
            self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        while self.open and self.open[-1] != tag and self.open[-1] in _OPEN_ENDED and tag in self.open:
            self.open.pop()
        if self.open and self.open[-1] == tag:
            self.open.pop()
        elif tag not in ("p", "br"):
            self.wrong = True
