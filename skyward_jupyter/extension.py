"""``%load_ext skyward`` and ``%unload_ext skyward``.

Loading twice does nothing the second time; unloading takes back everything that loading did to the shell. Pools run
until they are stopped, and what the Python API needs of the kernel stays for it.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
import threading
from collections.abc import Callable
from functools import partial
from importlib.metadata import PackageNotFoundError, distribution
from typing import Any

from IPython.core.interactiveshell import InteractiveShell

from skyward_jupyter.notebook.autoreload import has_taken_in
from skyward_jupyter.notebook.awaiting import AwaitTransformer
from skyward_jupyter.notebook.broadcasts import show_group
from skyward_jupyter.notebook.completion import matcher
from skyward_jupyter.notebook.docking import undock
from skyward_jupyter.notebook.inspecting import Inspection
from skyward_jupyter.notebook.interrupts import CellInterrupts
from skyward_jupyter.notebook.loading import Jedi
from skyward_jupyter.notebook.magics import SkyMagics
from skyward_jupyter.notebook.postmortem import PostMortem
from skyward_jupyter.notebook.preloading import Imported
from skyward_jupyter.notebook.reading import CellReader
from skyward_jupyter.notebook.state import Notebook
from skyward_jupyter.notebook.unawaited import show_unawaited
from skyward_jupyter.project.tracker import ask_of_edits, record
from skyward_jupyter.runtime.wakeups import let_sleep, let_wake
from skyward_jupyter.showing import install_in

#: The name our distribution has; the import name is the shorter one.
DISTRIBUTION = "skyward-jupyter"
#: A distribution of someone else's with the same import name.
STRANGER = "skyward"
_MARK = "_skyward_loaded"


class Loaded:
    """Everything the extension put into one shell, and how to take it back."""

    def __init__(self, shell: InteractiveShell) -> None:
        self._undo: list[Callable[[], object]] = []
        self.notebook = Notebook(shell)
        magics = SkyMagics(self.notebook)
        magics.install()
        self._undo.append(magics.remove)
        self._settings(shell)
        self._events(shell)
        self._reading(shell)
        self._completion(shell)
        self._groups(shell)
        self._undo.append(install_in(shell))
        self._debugging(shell)
        self._undo.append(show_unawaited(shell))
        record()
        self._undo.append(self.notebook.forget_notice)
        self._undo.append(lambda: undock(self.notebook))
        self._undo.append(ask_of_edits(partial(has_taken_in, shell)))
        if self.notebook.in_kernel:
            self._await_cells(shell)
            self._wake_up(shell)
            self._guard(shell)
            self._inspection(shell)

    def undo(self) -> None:
        """Take everything back."""
        while self._undo:
            self._undo.pop()()

    def _settings(self, shell: InteractiveShell) -> None:
        settings = self.notebook.settings
        configurables: list[Any] = shell.configurables
        configurables.append(settings)
        self._undo.append(lambda: configurables.remove(settings))

    def _events(self, shell: InteractiveShell) -> None:
        notebook = self.notebook
        for event, callback in (
            ("pre_run_cell", notebook.before_cell),
            ("pre_execute", notebook.enter),
            ("post_execute", notebook.leave),
            ("post_run_cell", Imported(notebook.settings).after_cell),
        ):
            shell.events.register(event, callback)
            self._undo.append(_unregister(shell, event, callback))

    def _reading(self, shell: InteractiveShell) -> None:
        """Read cells before IPython does."""
        reader = CellReader(self.notebook)
        shell.input_transformers_cleanup.append(reader)
        self._undo.append(lambda: shell.input_transformers_cleanup.remove(reader))

    def _completion(self, shell: InteractiveShell) -> None:
        jedi = Jedi(shell.Completer)
        complete = matcher(self.notebook, jedi)
        matchers = shell.Completer.custom_matchers
        matchers.append(complete)
        self._undo.append(lambda: matchers.remove(complete))
        self._undo.append(jedi.let_in)

    def _groups(self, shell: InteractiveShell) -> None:
        """Show what a broadcast raised by cause; IPython itself prints groups and leaves the error empty."""
        if shell.custom_exceptions:
            return  # somebody has a way of their own
        mine = (BaseExceptionGroup,)
        shell.set_custom_exc(mine, show_group)

        def undo() -> None:
            if shell.custom_exceptions is mine:
                shell.set_custom_exc((), None)

        self._undo.append(undo)

    def _debugging(self, shell: InteractiveShell) -> None:
        """Have ``%debug`` look at what failed on nodes."""
        debugger = PostMortem(shell)
        debugger.install()
        self._undo.append(debugger.remove)

    def _await_cells(self, shell: InteractiveShell) -> None:
        transformer = AwaitTransformer(self.notebook)
        shell.input_transformers_post.append(transformer)
        self._undo.append(lambda: shell.input_transformers_post.remove(transformer))

    def _wake_up(self, shell: Any) -> None:
        """Let SIGINT wake the kernel's idle event loop."""
        loop = _loop_of(shell)
        if loop is not None and let_wake(loop):
            self._undo.append(lambda: let_sleep(loop))

    def _guard(self, shell: Any) -> None:
        """Keep SIGINT away from the kernel's own work around a cell."""
        if threading.current_thread() is not threading.main_thread():
            return
        interrupts = CellInterrupts(self.notebook, shell.kernel)
        interrupts.install()
        self._undo.append(interrupts.remove)

    def _inspection(self, shell: Any) -> None:
        """Have Shift+Tab explain what nodes have."""
        inspection = Inspection(self.notebook, shell.kernel)
        inspection.install()
        self._undo.append(inspection.remove)


def load(shell: InteractiveShell) -> None:
    """Put the magics, their settings and completion into a shell, once."""
    if getattr(shell, _MARK, None) is not None:
        return
    setattr(shell, _MARK, Loaded(shell))
    if sentence := stranger():
        sys.stderr.write(f"{sentence}\n")
    _prewarm()
    _tell_of_pools(shell)


def unload(shell: InteractiveShell) -> None:
    """Take back what `load` did; without it, do nothing."""
    loaded: Loaded | None = getattr(shell, _MARK, None)
    if loaded is not None:
        loaded.undo()
        setattr(shell, _MARK, None)


load_ipython_extension = load
unload_ipython_extension = unload


def stranger() -> str:
    """A sentence about another distribution that has the import name ``skyward`` too; empty when there is none."""
    try:
        version = distribution(STRANGER).version
    except PackageNotFoundError:
        return ""
    return (
        f"another distribution, {STRANGER} {version}, is installed beside {DISTRIBUTION}, and both provide the package "
        f"skyward, so one overwrites the other: run pip uninstall {STRANGER}, then pip install --force-reinstall "
        f"{DISTRIBUTION}"
    )


def _prewarm() -> None:
    from skyward_jupyter.runtime import bridge

    bridge.prewarm()


def _tell_of_pools(shell: Any) -> None:
    """Show until the next cell which pools this notebook left, and remove what is left of any that are over."""
    from skyward_jupyter.notebook import listing
    from skyward_jupyter.notebook.notice import notify

    loaded: Loaded = getattr(shell, _MARK)
    sentences, seconds = listing.news()
    loop = _loop_of(shell) if loaded.notebook.in_kernel else None
    loaded.notebook.notice = notify(shell, sentences, loop, seconds)


def _loop_of(shell: Any) -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return getattr(getattr(shell.kernel, "io_loop", None), "asyncio_loop", None)


def _unregister(shell: InteractiveShell, event: str, callback: Callable[..., object]) -> Callable[[], None]:
    def undo() -> None:
        with contextlib.suppress(ValueError):
            shell.events.unregister(event, callback)

    return undo
