"""A ``%%sky`` cell before it is sent: its text as written, and its syntax.

A cell that does not compile raises here, pointing at the line as written, and nothing is sent.
"""

from __future__ import annotations

import ast
import warnings
from typing import Any

from IPython.core.interactiveshell import InteractiveShell

from skyward_jupyter.agent.cells import LineKeepingTransformer, Source
from skyward_jupyter.errors import UsageError
from skyward_jupyter.notebook.tracebacks import shown_as


class CellSyntaxError(UsageError):
    """A ``%%sky`` cell is not Python; nothing was sent. Its ``__cause__`` is the SyntaxError."""


def source_of(raw: str, line: str, body: str, number: int) -> Source:
    """The source of a cell, from what IPython says was typed, or from its parts where that is something else."""
    source = Source.of(raw, body, number)
    if raw.strip() == body.strip():
        return source  # a plain cell that runs on nodes
    lines = raw.splitlines()
    magic = len(lines) - len(body.splitlines()) - 1
    if magic >= 0 and lines[magic].lstrip().startswith("%%sky") and raw.rstrip().endswith(_last_line(body)):
        return source
    return Source.of(f"%%sky {line}".rstrip() + "\n" + body, body, number)


def compiled(shell: InteractiveShell, source: Source) -> ast.Module:
    """The cell's syntax tree; raises CellSyntaxError where there is none."""
    try:
        tree = _parsed(shell, source)
        _compile(tree)
    except SyntaxError as error:
        raise _shown(shell, source, error) from error
    return tree


def _parsed(shell: InteractiveShell, source: Source) -> ast.Module:
    """The tree, in the lines as written: messages of syntax errors name lines too."""
    text = LineKeepingTransformer().transform_cell(source.code)
    above = "\n" * source.offset
    try:
        return _parse(above + text)
    except SyntaxError:
        if len(text.splitlines()) != 1:
            raise
        prefilter: Any = shell.prefilter_manager
        with shell.builtin_trap:
            again = str(prefilter.prefilter_lines(text))
        if again.strip() == text.strip():
            raise
        return _parse(above + again)


def _parse(text: str) -> ast.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ast.parse(text, "<cell>")


def _compile(tree: ast.Module) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        compile(tree, "<cell>", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)


def _shown(shell: InteractiveShell, source: Source, error: SyntaxError) -> CellSyntaxError:
    compiler: Any = shell.compile
    error.filename = compiler.cache(source.written, source.number)
    formatter: Any = shell.SyntaxTB
    lines = formatter.structured_traceback(type(error), error, [])
    return shown_as(CellSyntaxError(f"line {error.lineno}: {error.msg}"), lines)


def _last_line(body: str) -> str:
    return body.rstrip().rpartition("\n")[2]


def title_of(code: str) -> str:
    """The line of a cell that tells best what it is: the first that imports nothing and is no comment."""
    lines = [line.strip() for line in code.splitlines() if line.strip()]
    telling = (line for line in lines if not line.startswith(("import ", "from ", "#")))
    return next(telling, lines[0] if lines else "")
