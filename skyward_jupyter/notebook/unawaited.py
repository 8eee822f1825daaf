"""How a coroutine of this project is shown as a cell's value: it has not begun, and the text says what begins it."""

from __future__ import annotations

import types
from collections.abc import Callable
from typing import Any

from skyward_jupyter.showing import is_file_of_ours

#: The form that blocks, for those that have one under another name.
_BLOCKING = {"run": "call >> pool", "broadcast": "call @ pool"}


def show_unawaited(shell: Any) -> Callable[[], object]:
    """Have a shell say so; returns what takes it back."""
    formatter = shell.display_formatter.formatters["text/plain"]
    former = formatter.for_type(types.CoroutineType, _shown)

    def undo() -> None:
        formatter.pop(types.CoroutineType, None)
        if former is not None:
            formatter.for_type(types.CoroutineType, former)

    return undo


def _shown(value: Any, printer: Any, cycle: bool) -> None:
    printer.text(text_of(value))


def text_of(value: types.CoroutineType[Any, Any, Any]) -> str:
    """The text of a coroutine."""
    if not is_file_of_ours(value.cr_code.co_filename) or value.cr_running or value.cr_await is not None:
        return repr(value)
    name = value.__qualname__.rpartition(".")[2]
    owner = "pool" if value.__qualname__.startswith("ComputePool.") else "..."
    blocks = _BLOCKING.get(name) or (f"{owner}.{name.removesuffix('_async')}(...)" if name.endswith("_async") else "")
    instead = f", or {blocks}" if blocks else ""
    return f"<{owner}.{name}(...) has not begun: write await {owner}.{name}(...){instead}>"
