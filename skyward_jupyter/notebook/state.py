"""What the magics know of the notebook they are loaded in: its shell, its settings, and what each pool's nodes have."""

from __future__ import annotations

import linecache
import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from IPython.core.interactiveshell import InteractiveShell

from skyward_jupyter.api import registry
from skyward_jupyter.config import Skyward
from skyward_jupyter.notebook.at_hand import AtHand
from skyward_jupyter.notebook.options import CellOptions
from skyward_jupyter.notebook.queues import Queues
from skyward_jupyter.notebook.rows import Places
from skyward_jupyter.notebook.sending import Ledger
from skyward_jupyter.notebook.weighing import cell_names
from skyward_jupyter.project.tracker import cell_begins

if TYPE_CHECKING:
    from skyward_jupyter.api.pool import ComputePool
    from skyward_jupyter.notebook.notice import Notice
    from skyward_jupyter.notebook.switching import Remote
    from skyward_jupyter.widgets.dock import Dock

#: Names that IPython keeps in every namespace, with values of its own.
_IPYTHONS = re.compile(r"_+|_i+|_ih|_oh|_dh|_i?\d+|_exit_code|In|Out|get_ipython|exit|quit|__\w+__")


class Notebook:
    """One shell with the extension loaded.

    Attributes
    ----------
    raw, number
        The cell that runs, as typed, and its execution count.
    depth
        How many cells run inside each other; 0 between cells.
    remote
        Where plain cells run; None for here.
    cells
        What the names of its cells look like in pickled code.
    at_hand
        The name `pool` in it.
    notice
        What is shown below a cell until the next one.
    dock
        The open side area.
    """

    def __init__(self, shell: InteractiveShell) -> None:
        self.shell = shell
        self.settings = Skyward(parent=shell)
        self.raw = ""
        self.number = 0
        self.depth = 0
        self.remote: Remote | None = None
        self.cells = cell_names(shell)
        self.at_hand = AtHand(shell)
        self.notice: Notice | None = None
        self.dock: Dock | None = None
        self._ledgers: WeakKeyDictionary[ComputePool, Ledger] = WeakKeyDictionary()
        self._queues: WeakKeyDictionary[ComputePool, Queues] = WeakKeyDictionary()
        self._places: WeakKeyDictionary[ComputePool, Places] = WeakKeyDictionary()

    @property
    def in_kernel(self) -> bool:
        """Whether a front end is at the other end, as opposed to a terminal."""
        return hasattr(self.shell, "kernel")

    @property
    def awaits(self) -> bool:
        """Whether IPython awaits what a cell awaits, on the kernel's event loop."""
        runner, _ = self.shell.loop_runner_map["asyncio"]
        return bool(self.shell.autoawait) and self.shell.loop_runner is runner

    def ledger(self, pool: ComputePool) -> Ledger:
        """What the nodes of `pool` have."""
        return self._ledgers.setdefault(pool, Ledger())

    def places(self, pool: ComputePool) -> Places:
        """Where what the nodes of `pool` display can be updated."""
        return self._places.setdefault(pool, Places())

    def queue(self, pool: ComputePool) -> Queues:
        """Which cells the nodes of `pool` run, and which wait."""
        return self._queues.setdefault(pool, Queues())

    def defaults(self) -> CellOptions:
        """What a ``%%sky`` line that says nothing means."""
        settings = self.settings
        return CellOptions(group=settings.value("group"), quiet=settings.value("quiet"), keep_going=settings.keep_going)

    def names(self) -> dict[str, object]:
        """The user's global names: those of the shell, without IPython's own."""
        hidden = self.shell.user_ns_hidden
        absent = object()
        return {
            name: value
            for name, value in self.shell.user_ns.items()
            if not _IPYTHONS.fullmatch(name) and hidden.get(name, absent) is not value
        }

    def theirs(self) -> set[str]:
        """The names that nodes of some pool own."""
        return {name for ledger in self._ledgers.values() for name in ledger.owned()}

    def on_nodes(self, name: str) -> bool:
        """Whether nodes of some pool have this name, bound there or sent."""
        return any(ledger.has(name) for ledger in self._ledgers.values())

    def written(self, files: Iterable[str]) -> dict[str, tuple[str, str]]:
        """The text of cells, and what they are called in tracebacks, by the names of their code."""
        compiler: Any = self.shell.compile
        return {
            file: (" ".join(compiler.format_code_name(file) or ("File", file)), "".join(linecache.getlines(file)))
            for file in files
        }

    def bind(self, name: str, value: object) -> None:
        """Set a global name of the user's."""
        self.shell.push({name: value})

    def before_cell(self, info: Any = None) -> None:
        """A cell starts."""
        _forget_failed_display(self.shell)
        cell_begins()
        self.forget_notice()
        self.at_hand.follow(registry.pools())
        if info is not None:
            count = int(self.shell.execution_count)
            self.raw = info.raw_cell or ""
            self.number = count - 1 if info.store_history else count

    def follow_active(self) -> None:
        """Have the side area show the active pool."""
        running = registry.pools()
        if self.dock is not None:
            self.dock.follow(running[-1]._inner.panel if running else None)

    def forget_notice(self) -> None:
        """Take back what was shown until now."""
        if self.notice is not None:
            self.notice.clear()
            self.notice = None

    def enter(self) -> None:
        """A cell, or one inside it, starts."""
        self.depth += 1

    def leave(self) -> None:
        """It ended."""
        self.depth = max(0, self.depth - 1)


def _forget_failed_display(shell: Any) -> None:
    """Have a cell not be called failed because the value of an earlier one could not be shown.

    ipykernel notes such a failure in the shell. It forgets it when the next cell starts, but not when that one is
    awaited, as a ``%%sky`` cell is (7.4).
    """
    if getattr(shell, "_last_traceback_during_displayhook", False):
        shell._last_traceback_during_displayhook = False
    if getattr(shell.displayhook, "msg", None) is not None:
        shell.displayhook.msg = None
