"""The local variables of the frames that an error came through, for a debugger in the kernel.

Numbers, strings and small containers of them arrive as themselves, everything else as its text. Both are bounded, and
nothing of this is done before something fails. ``SKYWARD_LOCALS=off`` in a node's environment leaves them out.
"""

from __future__ import annotations

import ast
import linecache
import os
import re
import sys
import sysconfig
from collections.abc import Iterator, Sequence
from itertools import islice
from types import CodeType, FrameType, ModuleType, TracebackType
from typing import Any

from skyward_jupyter.agent.stack import links_of
from skyward_jupyter.wire.called import HIDDEN, is_secret, plain, shown

#: What switches it off.
SWITCH = "SKYWARD_LOCALS"
#: Variables of one frame; characters of one value, and of all values of an error.
MOST = 50
VALUE = 1000
ALL = 32_000
#: Variables after which no more frames are looked at.
_ASKED = 500
#: Errors of a chain or group whose frames are looked at.
_PARTS = 5
_PLAIN = (bool, int, float, str, type(None))
#: A number that JSON and other machines have exactly.
_EXACT = 2**53

#: What the code of a cell is called, and what IPython has in each session.
_CELL = "<ipython-input-"
#: Characters of a cell that are read for names.
_TEXT = 20_000
_SHELL = frozenset({"In", "Out", "exit", "quit", "get_ipython"})

#: Which error of the chain, which of its frames, the name, what it is, and whether that is the value, or a literal that
#: makes it, or only its text.
type Row = list[Any]


def wanted() -> bool:
    """Whether variables are to be sent."""
    return os.environ.get(SWITCH, "").lower() not in ("off", "0", "no", "false")


def variables_of(chain: Sequence[BaseException], *, cells: bool = False) -> list[Row]:
    """The variables of the user's frames of errors, those of the innermost frames first, as far as there is room.

    With `cells`, those of the code of cells outside of functions too: the names that it reads, then the session's other
    ones that are plain data.
    """
    rows: list[Row] = []
    foreign: list[tuple[int, object]] = []
    for part, error in enumerate(islice(chain, _PARTS)):
        for place, frame in _frames(error.__traceback__, cells):
            if len(rows) < _ASKED:
                _of_frame(part, place, frame, rows, foreign)
    for (at, _), text in zip(foreign, shown([(value, VALUE) for _, value in foreign]), strict=True):
        rows[at][3] = text
    return _fitting(rows)


def _fitting(rows: list[Row]) -> list[Row]:
    """Whole frames, as many as there is room for."""
    left = ALL
    kept = 0
    for at, row in enumerate(rows):
        left -= len(str(row[3])) + len(row[2])
        if left < 0:
            break
        if at + 1 == len(rows) or rows[at + 1][:2] != row[:2]:
            kept = at + 1
    return rows[:kept]


class Text:
    """A value that did not travel: only its text is here."""

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text = text

    def __repr__(self) -> str:
        return self.text


def received(rows: object) -> dict[int, dict[int, dict[str, object]]]:
    """What `variables_of` gave, on the other side: by error, frame and name; what is none of its rows is left out."""
    found: dict[int, dict[int, dict[str, object]]] = {}
    for row in rows if isinstance(rows, list) else ():
        match row:
            case [int(part), int(place), str(name), sent, str(kind)]:
                found.setdefault(part, {}).setdefault(place, {})[name] = _value(sent, kind)
    return found


def _value(sent: object, kind: str) -> object:
    if kind == "value" and isinstance(sent, _PLAIN):
        return sent
    text = str(sent)
    if kind != "literal" or len(text) > VALUE:
        return Text(text)
    try:
        return ast.literal_eval(text)
    except Exception:
        return Text(text)


def _frames(tb: TracebackType | None, cells: bool) -> Iterator[tuple[int, FrameType]]:
    """The frames that the user wrote, innermost first, with their places among those that are sent."""
    for place, link in reversed(list(enumerate(links_of(tb)))):
        frame = link.tb_frame
        file = frame.f_code.co_filename
        is_module = frame.f_locals is frame.f_globals
        if (cells and file.startswith(_CELL)) if is_module else _is_users(file):
            yield place, frame


def _of_frame(part: int, place: int, frame: FrameType, rows: list[Row], foreign: list[tuple[int, object]]) -> None:
    """Add a frame's variables; those that must be asked for their texts to `foreign` too, with their places."""
    held = frame.f_locals
    names = _names_in_cell(frame) if held is frame.f_globals else [name for name in held if _is_shown(name, held[name])]
    for name in names[:MOST]:
        kind, sent = _sent(name, held[name])
        if kind == "text" and sent is None:
            foreign.append((len(rows), held[name]))
        rows.append([part, place, name, sent, kind])


def _names_in_cell(frame: FrameType) -> list[str]:
    """The names of a session, those first that the failing statement and its cell read or bind."""
    held = frame.f_globals
    written = re.findall(r"[^\W\d]\w*", "".join(linecache.getlines(frame.f_code.co_filename))[:_TEXT])
    others = (name for name, value in held.items() if not name.startswith("_") and plain(value, VALUE) is not None)
    names = dict.fromkeys([*_names_of(frame.f_code), *written, *others])
    return [name for name in names if name in held and name not in _SHELL and _is_shown(name, held[name])]


def _names_of(code: CodeType) -> Iterator[str]:
    """The global names that code reads or binds, with the functions inside it."""
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names_of(constant)


def _is_shown(name: str, value: object) -> bool:
    return not name.startswith(("__", ".")) and not isinstance(value, ModuleType)


def _sent(name: str, value: Any) -> tuple[str, object]:
    """A value as it is sent; None as the text of what must be asked for it."""
    if is_secret(name):
        return "text", HIDDEN
    kind = type(value)
    if kind in _PLAIN and not (kind is str and len(value) > VALUE) and not (kind is int and abs(value) > _EXACT):
        return ("value", value) if kind is not float or value - value == 0 else ("text", repr(value))
    text = plain(value, VALUE)
    if text is None or not _is_literal(kind) or text.endswith("...") or HIDDEN in text or "<" in text:
        return "text", text
    return "literal", text


def _is_literal(kind: type) -> bool:
    return kind in (int, bytes, complex, list, tuple, dict, set)


def _is_users(file: str) -> bool:
    return not file.startswith(_LIBRARIES) and not file.startswith("<frozen")


_PATHS = sysconfig.get_paths()
_LIBRARIES = tuple(
    path + os.sep
    for path in dict.fromkeys(
        [_PATHS[name] for name in ("stdlib", "platstdlib", "purelib", "platlib")]
        + [path for path in sys.path if path.endswith(("site-packages", "dist-packages"))]
    )
)
