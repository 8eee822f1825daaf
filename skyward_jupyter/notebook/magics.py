"""``%sky`` and ``%%sky``: reading the line, and nothing else."""

from __future__ import annotations

from typing import Any

from IPython.core.magic import no_var_expand

from skyward_jupyter.errors import SkywardError, UsageError
from skyward_jupyter.notebook import help, switching
from skyward_jupyter.notebook.awaiting import awaited, blocking
from skyward_jupyter.notebook.cell import Cell
from skyward_jupyter.notebook.commands import run_line
from skyward_jupyter.notebook.keepgoing import KeepGoing
from skyward_jupyter.notebook.options import CellOptions, cell_options
from skyward_jupyter.notebook.source import compiled, source_of
from skyward_jupyter.notebook.state import Notebook
from skyward_jupyter.notebook.tracebacks import in_a_sentence, shown_as


class SkyMagics:
    """The two magics of one notebook."""

    def __init__(self, notebook: Notebook) -> None:
        self._notebook = notebook
        self.line = self._line_magic()
        self.cell = self._cell_magic()

    def install(self) -> None:
        """Make the magics known to the shell."""
        self._notebook.shell.register_magic_function(self.line, "line", "sky")
        self._notebook.shell.register_magic_function(self.cell, "cell", "sky")
        self._notebook.shell.register_magic_function(_late(), "line", "%sky")

    def remove(self) -> None:
        """Take them back."""
        magics = self._notebook.shell.magics_manager.magics
        for kind in ("line", "cell"):
            magics[kind].pop("sky", None)
        magics["line"].pop("%sky", None)

    def _line_magic(self) -> Any:
        notebook = self._notebook

        def sky(line: str) -> object:
            try:
                return run_line(notebook, line)
            except SkywardError as error:
                raise _shown(error) from None
            except KeyboardInterrupt as error:
                raise _bare(error) from None

        sky.__doc__ = help.line_help()
        return no_var_expand(sky)

    def _cell_magic(self) -> Any:
        notebook = self._notebook

        def sky(line: str, cell: str) -> object:
            try:
                options = cell_options(line, notebook.defaults())
                if options.plain:
                    switching.check(notebook)
            except SkywardError as error:
                raise _shown(error) from None
            typed = line.removeprefix("--awaited").strip()
            goes_on = KeepGoing(notebook.shell, wanted=options.keep_going)
            if options.awaited:
                return _awaited(notebook, options, typed, cell, goes_on)
            with goes_on:
                return blocking(_ready(notebook, options, typed, cell))
            return None

        sky.__doc__ = help.cell_help()
        return sky


def _late() -> Any:
    """What IPython calls for a ``%%sky`` that is not the first line of its cell."""

    def late(line: str) -> None:
        raise _shown(UsageError("%%sky is the first line of its cell: put what is above it in a cell before"))

    return late


def _ready(notebook: Notebook, options: CellOptions, typed: str, text: str) -> Cell:
    try:
        source = source_of(notebook.raw, typed, text, notebook.number)
        return Cell(notebook, options, source, compiled(notebook.shell, source))
    except SkywardError as error:
        raise _shown(error) from None


async def _awaited(notebook: Notebook, options: CellOptions, typed: str, text: str, goes_on: KeepGoing) -> Any:
    with goes_on:
        return await awaited(_ready(notebook, options, typed, text))


def _bare(error: KeyboardInterrupt) -> KeyboardInterrupt:
    return error if hasattr(error, "_render_traceback_") else shown_as(error, ["KeyboardInterrupt"])


def _shown(error: SkywardError) -> SkywardError:
    return error if hasattr(error, "_render_traceback_") else in_a_sentence(error)
