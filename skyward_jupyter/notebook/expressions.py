"""``%sky EXPRESSION`` and ``%sky STATEMENT``: code of one line on every node, in its session.

A word that looks like a command, and that is a name neither here nor on the nodes, is no code: nothing runs, and the
command is named.
"""

from __future__ import annotations

import ast
import builtins
import difflib
import keyword
import re

from skyward_jupyter.agent.cells import Source
from skyward_jupyter.errors import UsageError
from skyward_jupyter.notebook import pools
from skyward_jupyter.notebook.awaiting import blocking
from skyward_jupyter.notebook.cell import Cell
from skyward_jupyter.notebook.learning import learn
from skyward_jupyter.notebook.options import COMMANDS, CellOptions
from skyward_jupyter.notebook.source import CellSyntaxError, compiled
from skyward_jupyter.notebook.state import Notebook
from skyward_jupyter.notebook.values import NodeValues
from skyward_jupyter.runtime.bridge import wait

#: A word alone, or one before what a command could take.
_WORD = re.compile(r"([A-Za-z_]\w*)(?=$|\s+[\w-])")
#: Words, numbers and options, which is how a command would look and code does not.
_WORDS = re.compile(r"[A-Za-z_]\w*(\s+(--?[a-z-]+(=\S*)?|[\w.,:/@-]+))*")


def on_every_node(notebook: Notebook, text: str) -> object:
    """Run the code of a ``%sky`` line; returns its values in node order, or None where it ends in a statement."""
    command, word = _meant(text), text.split()[0]
    if command is not None and not _known(notebook, word):
        raise UsageError(
            f"%sky {text}: no command and no name here or on the nodes is called {word}, so nothing was run; "
            f"did you mean %sky {command}?"
        )
    code = text.removesuffix(";").rstrip()
    source = Source(f"%sky {code}", code, 0, notebook.number)
    try:
        tree = compiled(notebook.shell, source)
    except CellSyntaxError:
        if text.startswith("--"):
            raise UsageError(f"%sky {text}: options come after a command, as in %sky start {text}") from None
        if _WORDS.fullmatch(text):
            raise UsageError(_neither(text)) from None
        raise
    cell = Cell(notebook, CellOptions(quiet=True), source, tree, expression=True)
    values = blocking(cell)
    if not (tree.body and isinstance(tree.body[-1], ast.Expr)):
        return None
    shown = {rank: done.shown for rank, done in cell.outcomes.items() if done.shown is not None}
    return NodeValues(values, shown, notebook.shell.execution_count)


def _meant(text: str) -> str | None:
    """The command whose name a line nearly begins with."""
    found = _WORD.match(text)
    if found is None or keyword.iskeyword(found[1]):
        return None
    close = difflib.get_close_matches(found[1].lower(), COMMANDS, n=1, cutoff=0.7)
    return close[0] if close else None


def _known(notebook: Notebook, word: str) -> bool:
    """Whether code may begin with this name: it is one of the notebook, of the nodes, of Python or of a magic."""
    if word in notebook.names() or hasattr(builtins, word) or word in notebook.shell.magics_manager.magics["line"]:
        return True
    for pool in pools.running():
        if pool.state == "ready" and pool._inner.strange_sessions:
            wait(learn(pool, notebook.ledger(pool), pool._inner.ranks), "a cell of its own that begins with %%sky")
    return notebook.on_nodes(word)


def _neither(text: str) -> str:
    close = difflib.get_close_matches(text.split()[0], COMMANDS, n=1, cutoff=0.6)
    advice = f"did you mean %sky {close[0]}?" if close else f"the commands are {', '.join(COMMANDS)}"
    return f"%sky {text}: neither a command nor an expression; {advice}"
