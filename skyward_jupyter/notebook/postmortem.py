"""``%debug`` after something failed on nodes: it stands in the frame that failed there, with the frame's variables.

Of several nodes that failed it is the first; ``%sky debug N`` looks at another. What is looked at are copies that came
along with the error: nothing is asked of a node for it, and nothing there changes.
"""

from __future__ import annotations

import contextlib
import linecache
import re
import sys
from collections.abc import Iterator, Mapping
from typing import Any

from skyward_jupyter.agent.cells import CellError
from skyward_jupyter.errors import CellFailed, UsageError
from skyward_jupyter.notebook.broadcasts import causes
from skyward_jupyter.notebook.ranks import spoken
from skyward_jupyter.notebook.state import Notebook
from skyward_jupyter.notebook.tracebacks import Failed, rendered
from skyward_jupyter.runtime.writing import put

_LAST = ("last_exc", "last_value", "last_type", "last_traceback")
_NUMBER = re.compile(r"Cell In\[(\d+)\]")


class PostMortem:
    """Stands before the shell's own `debugger`."""

    def __init__(self, shell: Any) -> None:
        self._shell = shell
        self._own = shell.debugger

    def install(self) -> None:
        """Be asked first."""
        self._shell.debugger = self._debugger

    def remove(self) -> None:
        """Leave it to the shell again."""
        if vars(self._shell).get("debugger") == self._debugger:
            del self._shell.debugger

    def _debugger(self, force: bool = False) -> None:
        failed = failures(_last())
        if not failed or not (force or self._shell.call_pdb):
            self._own(force=force)
            return
        look_at(self._shell, self._own, failed, next(iter(failed)))


def debug(notebook: Notebook, line: str) -> None:
    """Do what ``%sky debug NODE`` says."""
    word = line.strip()
    failed = failures(_last())
    if not failed:
        raise UsageError(f"%sky debug {word}".rstrip() + ": the last error here is none of nodes; %debug looks at it")
    rank = int(word) if word.isdecimal() else None if word else next(iter(failed))
    if rank not in failed:
        why = f"{spoken(list(failed))} failed and can be looked at, as in %sky debug {next(iter(failed))}"
        error = UsageError(f"%sky debug {word}: {why}")
        error.__dict__["nodes"] = failed  # which can be looked at still, although this is the last error now
        raise error
    own = type(notebook.shell).debugger.__get__(notebook.shell)
    look_at(notebook.shell, own, failed, rank)


def failures(error: object) -> dict[int, BaseException]:
    """What was raised on nodes and has frames, by node."""
    nodes: object = getattr(error, "nodes", None)
    found: Mapping[int, BaseException] = {}
    if isinstance(error, CellFailed):
        found = error.errors
    elif isinstance(error, BaseExceptionGroup) and isinstance(nodes, tuple):
        found = dict(zip(nodes, error.exceptions, strict=False))
    elif isinstance(error, KeyboardInterrupt | UsageError) and isinstance(nodes, dict):
        found = nodes
    return {rank: one for rank, one in sorted(found.items()) if one.__traceback__ is not None}


def look_at(shell: Any, debugger: Any, failed: Mapping[int, BaseException], rank: int) -> None:
    """Have the debugger look at what failed on one node."""
    if len(failed) > 1:
        other = next(one for one in failed if one != rank)
        put("stdout", f"node {rank}; {spoken(list(failed))} failed: %sky debug {other} looks at node {other}\n")
    with _as_last(failed[rank], shell.InteractiveTB):
        debugger(force=True)


def debuggable[E: BaseException](shell: Any, error: E, failed: Mapping[int, Failed]) -> E:
    """`error`, which a cell raises here for what failed on nodes, with all that a debugger and ``%tb`` ask for.

    It shows as it did on the nodes, and in another mode of tracebacks (``%xmode``, ``%tb``) as this notebook shows it.
    """
    for one in failed.values():
        if isinstance(one, CellError):
            know(shell, one.sources)
    nodes = failures(error)
    error.__dict__["_debugged_as_"] = next((one.__traceback__ for one in nodes.values()), None)
    as_sent = error._render_traceback_  # type: ignore[attr-defined]
    dress = _dress(shell)

    def render() -> list[str]:
        lines: list[str] = as_sent()
        return lines if not nodes or _dress(shell) == dress else rendered(causes(shell, nodes))

    error._render_traceback_ = render  # type: ignore[attr-defined]
    return error


def _dress(shell: Any) -> tuple[str, str]:
    return str(shell.InteractiveTB.mode), str(shell.colors)


def know(shell: Any, sources: Mapping[str, tuple[str, str]]) -> None:
    """Have the texts of cells that ran on nodes, by the names of their code, and call them as the notebook does."""
    names = getattr(shell.compile, "_filename_map", None)
    for file, (label, text) in sources.items():
        if file not in linecache.cache or file.startswith("<"):
            linecache.cache[file] = len(text), None, text.splitlines(keepends=True), file
        found = _NUMBER.fullmatch(label)
        if isinstance(names, dict) and found is not None:
            names.setdefault(file, int(found[1]))


def _last() -> object:
    return getattr(sys, "last_exc", None) or getattr(sys, "last_value", None)


@contextlib.contextmanager
def _as_last(error: BaseException, shown: Any) -> Iterator[None]:
    """Have an error be the last one that Python knows of, and that IPython has shown."""
    before = {name: getattr(sys, name) for name in _LAST if hasattr(sys, name)}
    tb = getattr(shown, "tb", None)
    values = (error, error, type(error), error.__traceback__)
    for name, value in zip(_LAST, values, strict=True):
        setattr(sys, name, value)
    shown.tb = error.__traceback__
    try:
        yield
    finally:
        for name in _LAST:
            delattr(sys, name)
        for name, value in before.items():
            setattr(sys, name, value)
        shown.tb = tb
