"""A remote exception on its way to the kernel: its type, its text, its traceback.

An exception that survives a round trip through pickle arrives as itself; any other as a `RemoteError` that carries
its type's name and text. So does one that would end more here than the call it belongs to: SystemExit and whatever
else is no `Exception`, and StopIteration.
"""

from __future__ import annotations

import contextlib
import re
import sys
import traceback
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

from skyward_jupyter.agent.stack import StackFrame, frames_of, traceback_of
from skyward_jupyter.errors import RemoteError
from skyward_jupyter.wire.byvalue import is_own
from skyward_jupyter.wire.codec import dumps, loads

#: Frames of these files are ours and say nothing to the user.
_OURS = ("skyward_jupyter/agent/", "skyward_jupyter\\agent\\")
_CHAIN = 5
_NOT_RAISED_HERE = (StopIteration, StopAsyncIteration)
#: Where an object is, in what is shown of one that has no text of its own: a copy is elsewhere.
_ADDRESS = re.compile(r"\bat 0x[0-9a-fA-F]+")


@dataclass(frozen=True, slots=True)
class Failed:
    """How a task failed.

    Attributes
    ----------
    how
        ``raised``, ``result`` (what it returned cannot be pickled), ``died``, ``timeout``, ``interrupted`` or
        ``input`` (what it was sent cannot be loaded).
    type_name, text, formatted
        Of the exception, and its traceback as text.
    pickled
        The exception itself, when it can travel.
    frames
        Of its traceback, and of those of the errors behind it.
    facts
        Anything else that the message needs.
    """

    how: str
    type_name: str = ""
    text: str = ""
    formatted: str = ""
    pickled: bytes | None = None
    frames: tuple[tuple[StackFrame, ...], ...] = ()
    facts: dict[str, Any] = field(default_factory=dict)


def describe(error: BaseException, how: str = "raised") -> Failed:
    """`error` with its traceback, without frames of ours, as something that can travel.

    Whatever the exception is like, this does not raise: at worst only its type's name is left.
    """
    try:
        return _described(error, how)
    except BaseException:
        return Failed(how, type(error).__qualname__, _text(error))


def _described(error: BaseException, how: str) -> Failed:
    _set(error, "__traceback__", _user_part(error.__traceback__))
    return Failed(
        how=how,
        type_name=type(error).__qualname__,
        text=_text(error),
        formatted="".join(traceback.format_exception(error)),
        pickled=_pickled(error),
        frames=tuple(frames_of(link.__traceback__) for link in chain(error)),
    )


def rebuild(failed: Failed, node: int) -> BaseException:
    """The exception on this side, with the remote traceback where a traceback belongs."""
    error: BaseException
    try:
        error = loads(failed.pickled) if failed.pickled is not None else None  # type: ignore[assignment]
        if not isinstance(error, Exception) or isinstance(error, _NOT_RAISED_HERE):
            raise TypeError
    except BaseException:  # whatever code of it raised
        error = RemoteError(failed.type_name, failed.text, node)
    for link in chain(error):
        localize(link)
    for link, frames in zip(chain(error), failed.frames, strict=False):
        if frames:
            _set(link, "__traceback__", traceback_of(frames))
    _set(error, "__notes__", [*getattr(error, "__notes__", ()), f"raised on node {node}"])
    _set(error, "remote_traceback", failed.formatted)
    return error


def localize(error: BaseException) -> None:
    """Make an error of the user's own code one of the class that this process has under that name.

    A node that imported the module itself sends a class of its own, and no `except` here would take it.
    """
    kind = type(error)
    module = sys.modules.get(kind.__module__)
    if module is None or not is_own(module):
        return
    known: object = module
    for part in kind.__qualname__.split("."):
        known = getattr(known, part, None)
    if known is not kind and isinstance(known, type) and issubclass(known, BaseException):
        with contextlib.suppress(TypeError):  # it is built in another way
            _set(error, "__class__", known)


def _set(error: BaseException, name: str, value: object) -> None:
    """Set an attribute, also of an exception whose own `__setattr__` refuses (a frozen dataclass)."""
    BaseException.__setattr__(error, name, value)


def _user_part(tb: TracebackType | None) -> TracebackType | None:
    while tb is not None and any(part in tb.tb_frame.f_code.co_filename for part in _OURS):
        tb = tb.tb_next
    return tb


def chain(error: BaseException) -> list[BaseException]:
    """An error and those that it is shown with, as far as they travel."""
    found: list[BaseException] = []
    link: BaseException | None = error
    while link is not None and link not in found and len(found) < _CHAIN:
        found.append(link)
        link = _behind(link)
    return found


def _behind(error: BaseException) -> BaseException | None:
    """What an error is shown with: its cause, or what was being handled when it was raised."""
    return error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def _text(error: object) -> str:
    try:
        return str(error)
    except BaseException:
        return "(its text cannot be shown)"


def _words(error: object) -> str:
    return _ADDRESS.sub("", _text(error))


def _pickled(error: BaseException) -> bytes | None:
    """`error` with those behind it, if it comes back from pickle as it is."""
    portable = _portable(error)
    if portable is None:
        return None
    try:
        return dumps(_linked(error, portable, {id(error)}))
    except BaseException:
        return dumps(portable)


def _portable(error: BaseException) -> object | None:
    """What pickles as `error`: itself, or, when making it anew fails or changes it, its parts."""
    for candidate in (error, _Parts(error)):
        try:
            back = loads(dumps(candidate))
        except BaseException:
            continue
        if type(back) is type(error) and _words(back) == _words(error):
            return candidate
    return None


def _linked(error: BaseException, portable: object, seen: set[int]) -> _Linked:
    """`error` and the one behind it, which pickle leaves out."""
    behind = _behind(error)
    if behind is None or id(behind) in seen or len(seen) >= _CHAIN:
        return _Linked(portable, None, False)
    seen.add(id(behind))
    stand_in = _portable(behind) or RemoteError(type(behind).__qualname__, _text(behind))
    return _Linked(portable, _linked(behind, stand_in, seen), error.__cause__ is not None)


class _Linked:
    def __init__(self, error: object, behind: _Linked | None, caused: bool) -> None:
        self._parts = error, behind, caused

    def __reduce__(self) -> tuple[Any, ...]:
        return _join, self._parts


def _join(error: BaseException, behind: BaseException | None, caused: bool) -> BaseException:
    if behind is not None:
        _set(error, "__cause__" if caused else "__context__", behind)
    return error


class _Parts:
    """Pickles an exception without its ``__init__``, which may want other arguments than ``args``."""

    def __init__(self, error: BaseException) -> None:
        self._parts = type(error), error.args, dict(error.__dict__)

    def __reduce__(self) -> tuple[Any, ...]:
        return _assemble, self._parts


def _assemble(kind: type[BaseException], args: tuple[object, ...], state: dict[str, object]) -> BaseException:
    error = kind.__new__(kind, *args)
    error.__dict__.update(state)
    return error
