"""What is true for a while only: shown below a cell until the next one runs or it is over, and never left in the file.

Outside a kernel it is written once.
"""

from __future__ import annotations

import ast
import asyncio
import contextvars
import uuid
from collections.abc import Sequence
from typing import Any

from IPython.core.interactiveshell import InteractiveShell

from skyward_jupyter.notebook.displays import quiet_line
from skyward_jupyter.runtime.writing import put

#: Magics that show nothing when they have something after them.
_SILENT_MAGICS = frozenset({"load_ext", "reload_ext", "autoreload", "config", "matplotlib"})
_SILENT = (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Pass)


class Notice:
    """Lines below the cell that runs now.

    Parameters
    ----------
    loop
        Takes them back after `seconds`; without one, only the next cell does.
    """

    def __init__(
        self, shell: InteractiveShell, lines: Sequence[str], loop: asyncio.AbstractEventLoop | None, seconds: float
    ) -> None:
        self._shell = shell
        self._context = contextvars.copy_context()
        self._id = uuid.uuid4().hex
        self._timer = loop.call_later(seconds, self.clear) if loop is not None else None
        self._alone = _shows_nothing(shell)
        self._shown = True
        self._publish(dict(quiet_line("\n".join(lines))[0]), update=False)

    def clear(self) -> None:
        """Take it back, once: with the cell's whole output where it is all there is."""
        if not self._shown:
            return
        self._shown = False
        if self._timer is not None:
            self._timer.cancel()
        if self._alone:
            self._context.run(self._shell.display_pub.clear_output)
        else:
            self._publish({}, update=True)

    def _publish(self, data: dict[str, Any], *, update: bool) -> None:
        transient = {"display_id": f"sky-{self._id}"}
        self._context.run(self._shell.display_pub.publish, data, {}, transient=transient, update=update)


def notify(shell: Any, lines: Sequence[str], loop: asyncio.AbstractEventLoop | None, seconds: float) -> Notice | None:
    """Show lines for so many seconds at most; returns what takes them back, in a kernel."""
    if not lines:
        return None
    if not hasattr(shell, "kernel"):
        put("stdout", "".join(f"{line}\n" for line in lines), flush=False)
        return None
    return Notice(shell, lines, loop, seconds)


def _shows_nothing(shell: Any) -> bool:
    """Whether the cell that runs now shows nothing of its own, as far as its code tells."""
    try:
        code = str(shell.kernel.get_parent("shell")["content"]["code"])
        body = ast.parse(shell.transform_cell(code)).body
    except (AttributeError, KeyError, TypeError, SyntaxError):
        return False
    return all(_is_silent(statement) for statement in body)


def _is_silent(statement: ast.stmt) -> bool:
    match statement:
        case ast.Assign(value=value):
            return not any(isinstance(node, ast.Call | ast.Await) for node in ast.walk(value))
        case ast.Expr(ast.Call(ast.Attribute(attr="run_line_magic"), [ast.Constant(name), ast.Constant(line)])):
            return name in _SILENT_MAGICS and bool(line)
    return isinstance(statement, _SILENT)
