"""The frames of a traceback as plain data, and a traceback made of such data again.

What is made shows the same lines, marked at the same columns, as the one it was taken from; its frames hold the
variables that they are given.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby, islice
from types import CodeType, TracebackType
from typing import Any

#: The most frames of one traceback that travel: the outermost and the innermost half.
MOST = 100
#: How many frames alike are shown as they are, and how many at each end of more.
_FEW = 8
_ENDS = 2
_STUB = "_skyward_frame"


@dataclass(frozen=True, slots=True)
class StackFrame:
    """One frame.

    Attributes
    ----------
    file, function, qualname, module
        Where its code is from.
    first
        The first line of the function.
    line, end, column, end_column
        What it was doing: the lines, and the columns in bytes; None where they are not known.
    """

    file: str
    function: str
    qualname: str
    module: str
    first: int
    line: int
    end: int
    column: int | None
    end_column: int | None

    @property
    def is_module(self) -> bool:
        """Whether it is of the code of a module, or of a cell, outside its functions."""
        return self.function == "<module>"

    @classmethod
    def checked(cls, parts: list[Any]) -> StackFrame:
        """Return the frame of these parts, in the order of the attributes; `TypeError` where they are of none."""
        texts, lines, columns = parts[:4], parts[4:7], parts[7:]
        if not (
            all(type(part) is str for part in texts)
            and all(type(part) is int for part in lines)
            and all(part is None or type(part) is int for part in columns)
        ):
            raise TypeError("a frame of its traceback is not one")
        return cls(*parts)


def frames_of(tb: TracebackType | None) -> tuple[StackFrame, ...]:
    """The frames of a traceback, outermost first."""
    return tuple(map(_taken, links_of(tb)))


def links_of(tb: TracebackType | None) -> list[TracebackType]:
    """The links of a traceback whose frames travel, outermost first."""
    links: list[TracebackType] = []
    while tb is not None:
        links.append(tb)
        tb = tb.tb_next
    return links[: MOST // 2] + links[-MOST // 2 :] if len(links) > MOST else links


def traceback_of(
    frames: tuple[StackFrame, ...], variables: Mapping[int, dict[str, object]] | None = None
) -> TracebackType | None:
    """A traceback with these frames, and with the variables of those that are known, by their place.

    What a module's own frame has, functions of that module see as their globals.
    """
    known = variables or {}
    spaces = {frame.module: known[place] for place, frame in enumerate(frames) if place in known and frame.is_module}
    tb: TracebackType | None = None
    for place in reversed(_shown(frames)):
        frame = frames[place]
        made = _made(frame, None if frame.is_module else known.get(place), spaces.get(frame.module, {}))
        made.tb_next, tb = tb, made
    return tb


def _shown(frames: Sequence[StackFrame]) -> list[int]:
    """The places of frames, without those in the middle of many alike, as of a recursion."""
    kept: list[int] = []
    for _, run in groupby(range(len(frames)), key=frames.__getitem__):
        places = list(run)
        kept += places if len(places) <= _FEW else places[:_ENDS] + places[-_ENDS:]
    return kept


def _taken(tb: TracebackType) -> StackFrame:
    code = tb.tb_frame.f_code
    at = islice(code.co_positions(), tb.tb_lasti // 2, None) if tb.tb_lasti >= 0 else iter(())
    _, end, column, end_column = next(at, (None, None, None, None))
    return StackFrame(
        file=code.co_filename,
        function=code.co_name,
        qualname=code.co_qualname,
        module=str(tb.tb_frame.f_globals.get("__name__", "")),
        first=min(code.co_firstlineno, tb.tb_lineno),
        line=tb.tb_lineno,
        end=max(end or 0, tb.tb_lineno),
        column=column,
        end_column=end_column,
    )


def _made(frame: StackFrame, variables: dict[str, object] | None, space: Mapping[str, object]) -> TracebackType:
    """A traceback of one frame: code that fails where that one did is run."""
    names: dict[str, Any] = {**space, "__name__": frame.module, "__file__": frame.file}
    made: TracebackType | None = None
    try:
        exec(_code(frame), names, names if variables is None else variables)
    except NameError as error:
        made = error.__traceback__.tb_next if error.__traceback__ is not None else None
    assert made is not None
    return made


@lru_cache(maxsize=512)
def _code(frame: StackFrame) -> CodeType:
    try:
        code = _compiled(frame, frame.column or 0, frame.end_column or 0)
    except ValueError:  # no range of its own: it was compiled from a tree that somebody made
        code = _compiled(frame, 0, 0)
    return code.replace(co_firstlineno=frame.first, co_name=frame.function, co_qualname=frame.qualname)


def _compiled(frame: StackFrame, column: int, end_column: int) -> CodeType:
    lines = {"lineno": frame.line - frame.first + 1, "end_lineno": frame.end - frame.first + 1}
    place = {**lines, "col_offset": column, "end_col_offset": end_column}
    stub = ast.Expr(ast.Name(_STUB, ast.Load(), **place), **place)
    return compile(ast.Module([stub], []), frame.file, "exec")
