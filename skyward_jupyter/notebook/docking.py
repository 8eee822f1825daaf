"""``%sky dock`` and ``%sky dock off``: the dashboard where it does not scroll away."""

from __future__ import annotations

from typing import TYPE_CHECKING

from IPython.display import display

from skyward_jupyter.api import registry
from skyward_jupyter.errors import UsageError
from skyward_jupyter.notebook import pools
from skyward_jupyter.runtime.writing import put

if TYPE_CHECKING:
    from skyward_jupyter.notebook.state import Notebook


def dock(notebook: Notebook, line: str) -> None:
    """Have the dashboard of the active pool in the side area, or in the cell where there is none; `off` closes it."""
    from skyward_jupyter.widgets import dock as area

    word = line.strip()
    if word == "off":
        put("stdout", "" if undock(notebook) else "no dashboard is in the side area; %sky dock opens it\n", flush=False)
        return
    if word:
        raise UsageError(f"%sky dock takes only the word off, not {word!r}: it shows the active pool (%sky use NAME)")
    pool = pools.find(None)
    panel = pool._inner.panel
    if not area.possible():
        display(pool)
        return
    undock(notebook)
    notebook.dock = area.Dock(panel)
    registry.watch(notebook.follow_active)


def undock(notebook: Notebook) -> bool:
    """Close the side area; False where none is open."""
    registry.unwatch(notebook.follow_active)
    opened, notebook.dock = notebook.dock, None
    if opened is not None:
        opened.close()
    return opened is not None
