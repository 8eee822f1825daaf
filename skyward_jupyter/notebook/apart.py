"""Pictures of a row as outputs of their own, for pages that take pictures from nowhere else, as nbconvert's PDF.

It reads what `skyward_jupyter.notebook.rowpage` wrote; rows that hold anything but images stay as they are.
"""

from __future__ import annotations

import base64
import re
from html import unescape
from typing import Any

_IMAGE = re.compile(
    r'<figure [^>]*><figcaption [^>]*>(\[[\d,-]+\])</figcaption><img alt="([^"]*)" style="([^"]*)" '
    r'src="data:(image/[^;]+);base64,([^"]*)"></figure>'
)
_WIDTH = re.compile(r";width:(\d+)px")
_BEGINS = '<div style="line-height:1.4"><div style="display:grid;'


def rows_apart(notebook: Any, resources: Any) -> tuple[Any, Any]:
    """Have each picture of each row below its label; a preprocessor of nbconvert's."""
    for cell in notebook.cells:
        if "outputs" in cell:
            cell.outputs = [part for output in cell.outputs for part in _parts(output)]
    return notebook, resources


def _parts(output: Any) -> list[Any]:
    page = output.get("data", {}).get("text/html", "")
    if not isinstance(page, str) or not page.startswith(_BEGINS):
        return [output]
    found = _IMAGE.findall(page)
    if len(found) != page.count("<figcaption"):
        return [output]
    parts: list[Any] = []
    for label, said, style, kind, data in found:
        width = _WIDTH.search(style)
        metadata = {kind: {"width": int(width[1])}} if width else {}
        text = unescape(said).partition(": ")[2]
        parts.append(_display(output, {"text/plain": label}, {}))
        parts.append(_display(output, {"text/plain": text, kind: _as_saved(kind, data)}, metadata))
    return parts


def _as_saved(kind: str, data: str) -> str:
    """An image as a notebook has it: SVG as text."""
    if kind != "image/svg+xml":
        return data
    return base64.b64decode(data).decode()


def _display(output: Any, data: dict[str, str], metadata: dict[str, Any]) -> Any:
    """A display of the same kind of notebook as `output`."""
    return type(output)(output_type="display_data", data=type(output)(data), metadata=type(output)(metadata))
