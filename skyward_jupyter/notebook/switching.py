"""``%sky on`` and ``%sky off``: whether plain cells run on nodes, until told otherwise or their pool is gone."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from skyward_jupyter.errors import UsageError
from skyward_jupyter.notebook import pools
from skyward_jupyter.notebook.options import cell_options
from skyward_jupyter.notebook.ranks import spoken
from skyward_jupyter.runtime.bridge import wait
from skyward_jupyter.runtime.writing import put

if TYPE_CHECKING:
    from skyward_jupyter.notebook.state import Notebook

_POOL = re.compile(r"(^|\s)--pool[\s=]")


@dataclass(frozen=True, slots=True)
class Remote:
    """Where plain cells run.

    Attributes
    ----------
    pool
        The pool, which `%sky on` found; another one of its name is not it.
    line
        The options of each such cell.
    """

    pool: pools.Pool
    line: str

    @property
    def is_there(self) -> bool:
        """Whether the pool runs, and is this kernel's."""
        return self.pool in pools.running() and self.pool.state in ("starting", "ready")


def on(notebook: Notebook, line: str) -> None:
    """Have plain cells run on nodes from now on."""
    options = cell_options(line, notebook.defaults(), "%sky on")
    pool = wait(pools.for_cell(options, notebook.settings, notebook.at_hand), "the pool's own start_async")
    where = spoken(pools.select(pool, options)) if options.on.kind != "any" else "any node"
    typed = line.strip() if _POOL.search(line) else f"{line.strip()} --pool {pool.name}".strip()
    notebook.remote = Remote(pool, typed)
    for sentence in notebook.at_hand.news():
        _say(sentence)
    _say(f"plain cells run on {where} of pool {pool.name} until %sky off; cells with %sky in them still run here")


def off(notebook: Notebook, line: str) -> None:
    """Have plain cells run here again."""
    if line.strip():
        raise UsageError("%sky off takes nothing more: it has plain cells run here again")
    was, notebook.remote = notebook.remote, None
    _say("plain cells run here again" if was is not None else "plain cells run here; %sky on has them run on the nodes")


def ended(notebook: Notebook) -> str:
    """End the mode if its pool is gone, and say so; an empty text when it is not."""
    remote = notebook.remote
    if remote is None or remote.is_there:
        return ""
    notebook.remote = None
    return f"pool {remote.pool.name}, on which plain cells ran by %sky on, is {remote.pool.state}: they run here again"


def check(notebook: Notebook) -> None:
    """Raise UsageError for a plain cell whose pool is gone."""
    if said := ended(notebook):
        raise UsageError(
            f"{said} from now on; this one was not run: run it again to have it here, or %sky start and %sky on first"
        )


def banner(pool: pools.Pool, ranks: list[int]) -> str:
    """What each plain cell says that runs on nodes."""
    return f"on {spoken(ranks)} of pool {pool.name} (%sky on; %sky off has plain cells run here again)"


def _say(text: str) -> None:
    put("stdout", f"{text}\n", flush=False)
