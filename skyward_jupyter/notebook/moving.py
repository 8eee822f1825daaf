"""Names into the sessions of nodes and out of them without a cell: ``%sky push`` and ``%sky pull``.

Each is a cell without code, so it waits for the sessions, sends and refuses as a cell does.
"""

from __future__ import annotations

from dataclasses import replace

from skyward_jupyter.agent.cells import Source
from skyward_jupyter.notebook.awaiting import blocking
from skyward_jupyter.notebook.cell import Cell
from skyward_jupyter.notebook.options import CellOptions, move_options
from skyward_jupyter.notebook.ranks import spoken
from skyward_jupyter.notebook.sending import check_here
from skyward_jupyter.notebook.source import compiled
from skyward_jupyter.notebook.state import Notebook
from skyward_jupyter.notebook.weighing import spelled
from skyward_jupyter.runtime.writing import put


def push(notebook: Notebook, line: str) -> None:
    """Set names in the sessions to the values they have here."""
    names, options = move_options(line, "%sky push")
    check_here("%sky push", names, notebook.names())
    cell = _run(notebook, f"%sky push {line}", replace(options, send=names))
    sizes = ", ".join(f"{name} ({spelled(cell.sizes[name])})" for name in names)
    put("stdout", f"{sizes} on {spoken(cell.outcomes)}\n", flush=False)


def pull(notebook: Notebook, line: str) -> None:
    """Bind names here to what the sessions have: lists in node order, or the value of a single node."""
    names, options = move_options(line, "%sky pull")
    cell = _run(notebook, f"%sky pull {line}", replace(options, out=names))
    how = "" if options.on.single else ", a list in node order" + (" each" if len(names) > 1 else "")
    put("stdout", f"{', '.join(names)} of {spoken(cell.outcomes)}{how}\n", flush=False)


def _run(notebook: Notebook, written: str, options: CellOptions) -> Cell:
    source = Source(written, f"# {written}", 0, notebook.number)
    cell = Cell(notebook, replace(options, quiet=True), source, compiled(notebook.shell, source), moves=True)
    blocking(cell)
    return cell
