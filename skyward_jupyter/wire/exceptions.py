"""An exception as bytes that load as the same exception, for calls, cells and streams alike.

Its type, its text, its attributes and its notes come along, and so does what it is shown with: its cause, or what was
being handled. Of a group every part does, however deep; a part that cannot travel is a `RemoteError` in its place, and
a group whose own class cannot is a plain one. Tracebacks do not travel: see `skyward_jupyter.agent.stack`.

An exception whose class wants other arguments than ``args``, or is made otherwise, is put together without them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from skyward_jupyter.errors import RemoteError
from skyward_jupyter.wire.codec import dumps, loads

#: How many errors behind one another, and how many groups within one another, are followed.
_CHAIN = 5
_DEPTH = 20
_MOST = 1000
#: Where an object is, in what is shown of one that has no text of its own: a copy is elsewhere.
_ADDRESS = re.compile(r"\bat 0x[0-9a-fA-F]+")


def portable(error: BaseException) -> bytes | None:
    """`error` with those behind it and its parts, if it comes back as it is; None if it does not."""
    try:
        found = _found(error, 0)
        if found is None:
            return None
        try:
            return dumps(_linked(error, found, {id(error)}, 0))
        except BaseException:
            return dumps(found)
    except BaseException:  # whatever code of it raised
        return None


def chain(error: BaseException) -> list[BaseException]:
    """An error, its parts and those that each is shown with, as far as they travel, in the same order here as there."""
    found: list[BaseException] = []
    _follow(error, found, set())
    return found


def behind(error: BaseException) -> BaseException | None:
    """What an error is shown with: its cause, or what was being handled when it was raised."""
    return error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def text_of(error: object) -> str:
    """The text of an exception whose own `__str__` may fail."""
    try:
        return str(error)
    except BaseException:
        return "(its text cannot be shown)"


def assign(error: BaseException, name: str, value: object) -> None:
    """Set an attribute, also of an exception whose own `__setattr__` refuses (a frozen dataclass)."""
    BaseException.__setattr__(error, name, value)


def _follow(error: BaseException, found: list[BaseException], seen: set[int]) -> None:
    link: BaseException | None = error
    for _ in range(_CHAIN):
        if link is None or id(link) in seen or len(found) >= _MOST:
            return
        seen.add(id(link))
        found.append(link)
        if isinstance(link, BaseExceptionGroup):
            for part in link.exceptions:
                _follow(part, found, seen)
        link = behind(link)


def _found(error: BaseException, depth: int) -> object | None:
    """What pickles as `error`: itself, or, when making it anew fails or changes it, its parts."""
    if isinstance(error, BaseExceptionGroup) and (group := _grouped(error, depth)) is not None:
        return group
    candidates = (error, _Parts(error))
    for candidate in reversed(candidates) if _has_slots(error) else candidates:
        back = _back(candidate)
        if type(back) is type(error) and _words(back) == _words(error):
            return candidate
    return None


def _words(error: object) -> str:
    return _ADDRESS.sub("", text_of(error))


def _back(candidate: object) -> object | None:
    try:
        return loads(dumps(candidate))
    except BaseException:  # whatever code of it raised
        return None


def _grouped(group: BaseExceptionGroup[BaseException], depth: int) -> _Group | None:
    """A group with its parts; None when nothing of it is an error that a call may raise."""
    if depth >= _DEPTH or not any(isinstance(leaf, Exception) for leaf in _leaves(group, 0)):
        return None
    parts = [_part(part, depth) for part in group.exceptions]
    kind = type(group) if isinstance(group, Exception) else ExceptionGroup
    own = _Group(kind, group.message, [RemoteError("", "")], _state(group))
    back = _back(own)
    if type(back) is kind and back.message == group.message:
        return _Group(kind, group.message, parts, _state(group))
    notes = getattr(group, "__notes__", None)
    return _Group(ExceptionGroup, group.message, parts, {"__notes__": list(notes)} if notes else {})


def _leaves(error: BaseException, depth: int) -> Iterator[BaseException]:
    if not isinstance(error, BaseExceptionGroup):
        yield error
    elif depth < _DEPTH:
        for part in error.exceptions:
            yield from _leaves(part, depth + 1)


def _part(part: BaseException, depth: int) -> _Linked:
    """A part of a group with what is behind it. It must be one that a group of errors may hold."""
    found = _found(part, depth + 1)
    if found is None or not (isinstance(part, Exception) or isinstance(found, _Group)):
        found = _stand_in(part)
    return _linked(part, found, {id(part)}, depth + 1)


def _stand_in(error: BaseException) -> RemoteError:
    return RemoteError(type(error).__qualname__, text_of(error))


def _linked(error: BaseException, found: object, seen: set[int], depth: int) -> _Linked:
    """`error` and the one behind it, which pickle leaves out."""
    other = behind(error)
    if other is None or id(other) in seen or len(seen) >= _CHAIN:
        return _Linked(found, None, False)
    seen.add(id(other))
    stand_in = _found(other, depth + 1) or _stand_in(other)
    return _Linked(found, _linked(other, stand_in, seen, depth + 1), error.__cause__ is not None)


class _Linked:
    def __init__(self, error: object, behind: _Linked | None, caused: bool) -> None:
        self._parts = error, behind, caused

    def __reduce__(self) -> tuple[Any, ...]:
        return _join, self._parts


def _join(error: BaseException, other: BaseException | None, caused: bool) -> BaseException:
    if other is not None:
        assign(error, "__cause__" if caused else "__context__", other)
    return error


class _Group:
    """Pickles a group with other parts than its own, without its ``__new__`` and ``__init__``."""

    def __init__(self, kind: type, message: str, parts: list[Any], state: dict[str, object]) -> None:
        self._parts = kind, message, parts, state

    def __reduce__(self) -> tuple[Any, ...]:
        return _regroup, self._parts


def _regroup(kind: Any, message: str, parts: list[BaseException], state: dict[str, object]) -> BaseException:
    group: BaseException = BaseExceptionGroup.__new__(kind, message, parts)
    for name, value in state.items():
        assign(group, name, value)
    return group


class _Parts:
    """Pickles an exception without its ``__new__`` and ``__init__``, which may want other arguments than ``args``."""

    def __init__(self, error: BaseException) -> None:
        args = _native(type(error)).__reduce__(error)[1]
        self._parts = type(error), args, _state(error)

    def __reduce__(self) -> tuple[Any, ...]:
        return _assemble, self._parts


def _assemble(kind: type[BaseException], args: tuple[object, ...], state: dict[str, object]) -> BaseException:
    native = _native(kind)
    error: BaseException = native.__new__(kind, *args)
    native.__init__(error, *args)
    for name, value in state.items():
        assign(error, name, value)
    return error


def _native(kind: type[BaseException]) -> Any:
    """The class of Python's own that `kind` derives from; only that can make an object of the right layout."""
    return next(base for base in kind.__mro__ if base.__module__ == "builtins")


def _state(error: BaseException) -> dict[str, object]:
    """The attributes of an exception, those in slots too."""
    more = _native(type(error)).__reduce__(error)[2:]
    held = object.__getstate__(error)
    attributes, slots = held if isinstance(held, tuple) else (held, None)
    return {**(more[0] if more and more[0] else {}), **(attributes or {}), **(slots or {})}


def _has_slots(error: BaseException) -> bool:
    return isinstance(object.__getstate__(error), tuple)
