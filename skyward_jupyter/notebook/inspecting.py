"""Shift+Tab in a ``%%sky`` cell: what a node knows of the name at the cursor, or else what the notebook knows."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from typing import Any

from IPython.utils.tokenutil import token_at_cursor

from skyward_jupyter.agent.questions import Inspecting
from skyward_jupyter.notebook.consulting import consult, place_in
from skyward_jupyter.notebook.state import Notebook

type Reply = dict[str, Any]


class Inspection:
    """Stands before the kernel's own `do_inspect`."""

    def __init__(self, notebook: Notebook, kernel: Any) -> None:
        self._notebook = notebook
        self._kernel = kernel
        self._own = kernel.do_inspect

    def install(self) -> None:
        """Be asked first."""
        self._kernel.do_inspect = self._inspect

    def remove(self) -> None:
        """Leave it to the kernel again."""
        if vars(self._kernel).get("do_inspect") == self._inspect:
            del self._kernel.do_inspect

    def _inspect(
        self, code: str, cursor_pos: int, detail_level: int = 0, *rest: Any, **more: Any
    ) -> Reply | Awaitable[Reply]:
        found = self._there(code, cursor_pos, detail_level)
        if found is None:
            own: Reply | Awaitable[Reply] = self._own(code, cursor_pos, detail_level, *rest, **more)
            return own
        data = {kind: text for kind, text in found.items() if kind != "text/html" or self._shows_html}
        return {"status": "ok", "data": data, "metadata": {}, "found": True}

    def _there(self, code: str, cursor: int, detail: int) -> Mapping[str, str] | None:
        """What a node says; None where it is not asked, or does not know or answer."""
        place = place_in(self._notebook, code, cursor)
        name = token_at_cursor(place.code, place.cursor) if place is not None else ""
        answer = consult(place, Inspecting(name, detail)) if place is not None and name else None
        return answer if isinstance(answer, Mapping) else None

    @property
    def _shows_html(self) -> bool:
        return bool(getattr(self._notebook.shell, "enable_html_pager", False))
