"""What a cell raised in its session, on its way to the kernel: as it shows, and with all that a debugger there needs.

Frames, variables and the texts of cells travel as plain data; only the exception itself is pickled.
"""

from __future__ import annotations

import linecache
from dataclasses import replace
from traceback import format_exception_only

from skyward_jupyter.agent.cells import CellError
from skyward_jupyter.agent.imports import imports
from skyward_jupyter.agent.shell import SessionShell, user_part
from skyward_jupyter.agent.showable import showable
from skyward_jupyter.agent.stack import StackFrame, frames_of
from skyward_jupyter.agent.variables import variables_of, wanted
from skyward_jupyter.wire.exceptions import assign, chain, portable, text_of

#: Characters of a cell, above which its text stays on the node.
_TEXT = 100_000


def described(error: BaseException, shell: SessionShell) -> CellError:
    """`error`, which the shell has just shown."""
    links = [] if isinstance(error, SyntaxError) else chain(error)
    for link in links:
        assign(link, "__traceback__", user_part(link.__traceback__))
    shown = shell.failure[1] if shell.failure is not None else "".join(format_exception_only(error))
    stacks = tuple(frames_of(link.__traceback__) for link in links)
    return CellError(
        name=type(error).__name__,
        text=_text(error),
        traceback=imports.as_called(shown),
        pickled=portable(error),
        stacks=tuple(tuple(replace(frame, file=imports.as_called(frame.file)) for frame in one) for one in stacks),
        variables=variables_of(links, cells=True) if wanted() else [],
        sources=_sources(stacks, shell),
        interrupted=isinstance(error, KeyboardInterrupt),
    )


def _sources(stacks: tuple[tuple[StackFrame, ...], ...], shell: SessionShell) -> dict[str, tuple[str, str]]:
    """The cells that frames are in."""
    found: dict[str, tuple[str, str]] = {}
    for file in {frame.file for stack in stacks for frame in stack}:
        label = shell.compile.format_code_name(file)
        text = "".join(linecache.getlines(file)) if label is not None else ""
        if label is not None and 0 < len(text) <= _TEXT:
            found[file] = " ".join(label), text
    return found


def _text(error: BaseException) -> str:
    return showable(error.msg if isinstance(error, SyntaxError) and error.msg else text_of(error))
