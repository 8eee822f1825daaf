"""What a ``%%sky`` cell is on its way to a session, and what comes back.

Both sides import this module. Line numbers everywhere are those of the cell as it was
written, where the ``%%sky`` line is line 1.
"""

from __future__ import annotations

import hashlib
import types
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from IPython.core.inputtransformer2 import TransformerManager

from skyward_jupyter.agent.stack import StackFrame
from skyward_jupyter.agent.variables import Row
from skyward_jupyter.errors import TaskTimeout
from skyward_jupyter.wire.codec import dumps

_LONGEST = 10_000
_MOST_ITEMS = 100


@dataclass(frozen=True, slots=True)
class Source:
    """A cell as written, and the part of it that runs on nodes.

    Attributes
    ----------
    written
        The whole cell.
    code
        What runs: the cell below its ``%%sky`` line, without leading blank lines.
    offset
        How many lines of `written` come before `code`.
    number
        The cell's execution count in the notebook.
    """

    written: str
    code: str
    offset: int
    number: int

    @classmethod
    def of(cls, written: str, body: str, number: int) -> Source:
        """The source of a cell whose lines below the magic are `body`."""
        lines = body.splitlines(keepends=True)
        blank = 0
        while blank < len(lines) and not lines[blank].strip():
            blank += 1
        code = "".join(lines[blank:])
        above = len(written.splitlines()) - len(lines) + blank
        return cls(written, code, max(above, 0), number)


@dataclass(frozen=True, slots=True)
class CellRequest:
    """A cell for one session.

    Attributes
    ----------
    values, digests
        Names to set before the cell runs, and the content hash of each.
    expects
        Names set by an earlier request, which should still be there with this content.
    keeps
        Names that earlier cells bound, which should still be there.
    binds
        Names that the cell is certain to bind when it succeeds.
    outs
        Names whose values to return (``-o``).
    wants_value
        Whether to return the value of the last expression, not only how it shows.
    colours, mode
        The notebook's settings for tracebacks.
    sources
        Cells that functions among the values come from: what each is called, and its text, by the name of its code.
    """

    source: Source
    values: Mapping[str, object] = field(default_factory=dict)
    digests: Mapping[str, str] = field(default_factory=dict)
    expects: Mapping[str, str] = field(default_factory=dict)
    keeps: tuple[str, ...] = ()
    binds: tuple[str, ...] = ()
    outs: tuple[str, ...] = ()
    wants_value: bool = False
    colours: str = ""
    mode: str = ""
    sources: Mapping[str, tuple[str, str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Bundle:
    """How a value shows: a MIME bundle (`data`) and its `metadata`."""

    data: Mapping[str, object]
    metadata: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class CellError:
    """What a cell raised in a session.

    Attributes
    ----------
    name, text
        Of the exception: its type's name and its message.
    traceback
        As the notebook would show it, with colours.
    pickled
        The exception itself, when it can travel.
    stacks
        The user's frames, of its traceback and of those of the errors behind it, as plain data.
    variables
        Those of the frames, as of `skyward_jupyter.agent.variables`.
    sources
        Cells that frames are in: what each is called, and its text, by the name of its code.
    interrupted
        Whether it is the KeyboardInterrupt of an interrupted cell.
    """

    name: str
    text: str
    traceback: str
    pickled: bytes | None = None
    stacks: tuple[tuple[StackFrame, ...], ...] = ()
    variables: list[Row] = field(default_factory=list)
    sources: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    interrupted: bool = False

    @property
    def places(self) -> tuple[tuple[str, int, str], ...]:
        """File, line and function of the frames of its own traceback, outermost first."""
        return tuple((frame.file, frame.line, frame.function) for frame in self.stacks[0]) if self.stacks else ()


@dataclass(frozen=True, slots=True)
class CellOutcome:
    """How a cell ended in one session.

    Attributes
    ----------
    session
        Identifies the session process; another value than last time means its names are gone.
    missing
        Names of `expects` and `keeps` that the session does not have. If there are any, the cell did not run.
    shown
        The last expression, as it shows.
    value, outs
        Values of the last expression and of the ``-o`` names.
    refused
        For names (``""`` for the last expression) that could not be returned: why, as a sentence.
    bound
        Names the cell bound, with a `fingerprint` of each value.
    deleted
        Names the cell deleted.
    """

    session: str
    missing: tuple[str, ...] = ()
    shown: Bundle | None = None
    value: object = None
    outs: Mapping[str, object] = field(default_factory=dict)
    refused: Mapping[str, str] = field(default_factory=dict)
    bound: Mapping[str, str | None] = field(default_factory=dict)
    deleted: tuple[str, ...] = ()
    error: CellError | None = None


@dataclass(frozen=True, slots=True)
class Holdings:
    """What a session has, for a kernel that did not fill it.

    Attributes
    ----------
    session
        As of `CellOutcome`.
    sent
        Content hashes of the names that a notebook set there.
    owned
        Names that cells bound there, with a `fingerprint` of each value.
    functions
        Which global names the functions among them read.
    """

    session: str
    sent: Mapping[str, str]
    owned: Mapping[str, str | None]
    functions: Mapping[str, frozenset[str]]


def overdue(outcome: CellOutcome, limit: float, rank: int) -> CellOutcome:
    """`outcome` of a cell that was interrupted because it ran for `limit` seconds, whatever it made of that."""
    if outcome.missing:
        return outcome
    text = f"the cell ran longer than its {limit:g} s"
    raised = outcome.error or CellError("", "", "")
    raised = replace(raised, name="TaskTimeout", text=text, pickled=dumps(TaskTimeout(text, rank)), interrupted=False)
    return replace(outcome, shown=None, value=None, outs={}, error=raised)


class LineKeepingTransformer(TransformerManager):
    """IPython's input transformer, except that the code below a transformed line keeps its line number.

    IPython joins a continued ``!command \\`` or ``%magic \\`` into one line; here blank lines take the place of the
    lines that went.
    """

    def do_one_token_transform(self, lines: list[str]) -> tuple[bool, list[str]]:
        """Transform the first special syntax of `lines`; returns whether there was any, and the lines."""
        changed, after = super().do_one_token_transform(lines)
        gone = len(lines) - len(after)
        if changed and gone > 0:
            first = next((i for i, pair in enumerate(zip(lines, after, strict=False)) if pair[0] != pair[1]), 0)
            after = [*after[: first + 1], *["\n"] * gone, *after[first + 1 :]]
        return changed, after


def fingerprint(value: object) -> str | None:
    """A short text that is equal for equal values, where telling is cheap; None for any other value."""
    text = _describe(value)
    return None if text is None else hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()


def _describe(value: object) -> str | None:
    match value:
        case types.ModuleType():
            return f"module {value.__name__}"
        case bool() | int() | float() | complex() | None:
            return f"{type(value).__name__} {value!r}"
        case str() | bytes():
            return f"{type(value).__name__} {value!r}" if len(value) <= _LONGEST else None
        case list() | tuple():
            return _of_items(type(value).__name__, value)
        case dict():
            return _of_items("dict", [part for item in value.items() for part in item])
        case types.FunctionType() if value.__module__ == "__main__":
            code = value.__code__
            return f"function {value.__qualname__} {code.co_code.hex()} {code.co_names} {_constants(code)}"
        case types.FunctionType() | types.BuiltinFunctionType() | type() if value.__module__ != "__main__":
            return f"{type(value).__name__} {value.__module__}.{value.__qualname__}"
        case _:
            return None


def _of_items(kind: str, items: list[object] | tuple[object, ...]) -> str | None:
    if len(items) > _MOST_ITEMS:
        return None
    parts = [_describe(item) for item in items]
    return f"{kind} {parts!r}" if None not in parts else None


def _constants(code: types.CodeType) -> str:
    plain = (const for const in code.co_consts if not isinstance(const, types.CodeType))
    inner = (_constants(const) for const in code.co_consts if isinstance(const, types.CodeType))
    return repr((*plain, *inner))
