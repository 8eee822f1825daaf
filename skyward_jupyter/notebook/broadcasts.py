"""How the errors of a broadcast show in a notebook: where it was called, then each cause once, with its nodes."""

from __future__ import annotations

import re
import sys
import traceback
from pathlib import Path
from types import TracebackType
from typing import Any

from IPython.core import interactiveshell
from IPython.core.interactiveshell import InteractiveShell

from skyward_jupyter.notebook.tracebacks import Cause, plain, rendered
from skyward_jupyter.showing import trim

_OURS = str(Path(__file__).parents[1])
_SHELL = interactiveshell.__file__
_NOTE = re.compile(r"raised( by .*)? on node \d+", re.DOTALL)


def show_group(
    shell: InteractiveShell, kind: type[BaseException], group: BaseExceptionGroup, tb: Any, tb_offset: int | None = None
) -> None:
    """Show a group that a cell raised; one that is not of a broadcast is shown as IPython does."""
    shown: Any = shell
    nodes: tuple[int, ...] | None = getattr(group, "nodes", None)
    if nodes is None:
        _show_other(shown, kind, group, tb)
        return
    sys.last_exc = sys.last_value = group
    sys.last_type, sys.last_traceback = kind, tb
    here = shown.InteractiveTB.structured_traceback(kind, group, _up_to_us(tb), tb_offset=tb_offset)
    found = causes(shown, dict(zip(nodes, group.exceptions, strict=True)))
    shown._showtraceback(kind, group, [*here, "", *rendered(found)])
    if shown.call_pdb:
        shown.debugger(force=True)


def _show_other(shown: Any, kind: type[BaseException], group: BaseExceptionGroup, tb: TracebackType | None) -> None:
    """Show a group as Python does, which IPython leaves to it, without IPython's own frames and with cells by name."""
    while tb is not None and tb.tb_frame.f_code.co_filename == _SHELL and tb.tb_next is not None:
        tb = tb.tb_next
    trim(group.with_traceback(tb))
    sys.last_exc = sys.last_value = group
    sys.last_type, sys.last_traceback = kind, group.__traceback__

    def called(found: re.Match[str]) -> str:
        label = shown.compile.format_code_name(found[1])
        return " ".join(label) if label is not None else found[0]

    text = "".join(traceback.format_exception(group))
    shown._showtraceback(kind, group, [re.sub(r'File "([^"\n]+)"', called, text).rstrip("\n")])
    if shown.call_pdb:
        shown.debugger(force=True)


def _up_to_us(tb: TracebackType | None) -> TracebackType | None:
    """`tb` as far as it is the user's: not the frames between the operator and the nodes."""
    links: list[TracebackType] = []
    while tb is not None and not tb.tb_frame.f_code.co_filename.startswith(_OURS):
        links.append(tb)
        tb = tb.tb_next
    cut: TracebackType | None = None
    for link in reversed(links):
        cut = TracebackType(cut, link.tb_frame, link.tb_lasti, link.tb_lineno)
    return cut


def causes(shell: Any, errors: dict[int, BaseException]) -> list[Cause]:
    """The distinct causes, as the shell shows them."""
    found: dict[object, Cause] = {}
    for rank, error in sorted(errors.items()):
        frames = tuple((frame.filename, frame.lineno) for frame in traceback.extract_tb(error.__traceback__))
        name = type(error).__name__
        key = name, frames or str(error)
        if key not in found:
            found[key] = Cause(name, _shown(shell, error))
        found[key].texts[rank] = str(error)
    return list(found.values())


def _shown(shell: Any, error: BaseException) -> str:
    if error.__traceback__ is None:
        return ""
    lines = shell.InteractiveTB.structured_traceback(type(error), error, error.__traceback__, tb_offset=0)
    text: str = shell.InteractiveTB.stb2text(lines)
    return "\n".join(line for line in text.split("\n") if not _NOTE.fullmatch(plain(line).strip()))
