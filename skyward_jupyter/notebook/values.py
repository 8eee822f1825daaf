"""The value of an expression on every node: ``%sky EXPR``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from IPython.core.getipython import get_ipython

from skyward_jupyter.agent.cells import Bundle
from skyward_jupyter.notebook import rowpage
from skyward_jupyter.notebook.displays import equal_bundles
from skyward_jupyter.notebook.ranks import label
from skyward_jupyter.notebook.rows import Figure


class NodeValues(list[Any]):
    """An expression's values in node order; shows equal ones once, with their nodes, rich ones side by side.

    In the cell that asked, values that are all None show as nothing, as one does: `made_in` is its number.
    """

    def __init__(self, values: list[Any], shown: Mapping[int, Bundle], made_in: int = -1) -> None:
        super().__init__(values)
        self._shown = dict(shown)
        self._made_in = made_in

    def _ipython_display_(self) -> None:
        shell: Any = get_ipython()
        if shell is None or shell.execution_count != self._made_in or any(value is not None for value in self):
            raise NotImplementedError  # which has IPython look for the other forms

    def __reduce__(self) -> tuple[Any, ...]:
        return list, (list(self),)

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text("..." if cycle else self._text())

    def _repr_html_(self) -> str | None:
        if not any(rowpage.fits(bundle.data) for bundle in self._shown.values()):
            return None
        return rowpage.page([Figure(ranks, one.data, one.metadata) for ranks, one in equal_bundles(self._shown)])

    def _text(self) -> str:
        lines: list[str] = []
        for ranks, bundle in equal_bundles(self._shown):
            text = str(bundle.data.get("text/plain", ""))
            if len(self._shown) > 1:
                text = f"{label(ranks)}{chr(10) if chr(10) in text else ' '}{text}"
            lines.append(text)
        return "\n".join(lines) if lines else list.__repr__(self)
