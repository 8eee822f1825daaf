"""A remote exception on its way to the kernel: its type, its text, its traceback.

An exception that survives a round trip through pickle arrives as itself; any other as a `RemoteError` that carries
its type's name and text. So does one that would end more here than the call it belongs to: SystemExit and whatever
else is no `Exception`, and StopIteration.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

import tblib

from skyward_jupyter.errors import TaskFailed
from skyward_jupyter.wire.codec import dumps, loads

#: Frames of these files are ours and say nothing to the user.
_OURS = ("skyward_jupyter/agent/", "skyward_jupyter\\agent\\")
_CHAIN = 5
#: The most frames of one traceback that travel: the outermost and the innermost half.
_FRAMES = 100
_NOT_RAISED_HERE = (StopIteration, StopAsyncIteration)


class RemoteError(TaskFailed):
    """An exception of a node that could not be sent as itself.

    Attributes
    ----------
    type_name
        The name of its type.
    """

    def __init__(self, type_name: str, text: str, node: int | None = None) -> None:
        self.type_name = type_name
        super().__init__(f"{type_name}: {text}" if text else type_name, node)

    def __reduce__(self) -> tuple[Any, ...]:
        return RemoteError, (self.type_name, str(self).partition(": ")[2], self.node)


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
        Its traceback, and those of its causes, as tblib's plain dicts.
    facts
        Anything else that the message needs.
    """

    how: str
    type_name: str = ""
    text: str = ""
    formatted: str = ""
    pickled: bytes | None = None
    frames: tuple[dict[str, Any] | None, ...] = ()
    facts: dict[str, Any] = field(default_factory=dict)


def describe(error: BaseException, how: str = "raised") -> Failed:
    """`error` with its traceback, without frames of ours, as something that can travel.

    Whatever the exception is like, this does not raise: at worst only its type's name is left.
    """
    try:
        return _described(error, how)
    except Exception:
        return Failed(how, type(error).__qualname__, _text(error))


def _described(error: BaseException, how: str) -> Failed:
    _set(error, "__traceback__", _user_part(error.__traceback__))
    return Failed(
        how=how,
        type_name=type(error).__qualname__,
        text=_text(error),
        formatted="".join(traceback.format_exception(error)),
        pickled=_pickled(error),
        frames=tuple(_frames(link) for link in _chain(error)),
    )


def rebuild(failed: Failed, node: int) -> BaseException:
    """The exception on this side, with the remote traceback where a traceback belongs."""
    error: BaseException
    try:
        error = loads(failed.pickled) if failed.pickled is not None else None  # type: ignore[assignment]
        if not isinstance(error, Exception) or isinstance(error, _NOT_RAISED_HERE):
            raise TypeError
    except Exception:
        error = RemoteError(failed.type_name, failed.text, node)
    for link, frames in zip(_chain(error), failed.frames, strict=False):
        if frames is not None:
            _set(link, "__traceback__", tblib.Traceback.from_dict(frames).as_traceback())
    _set(error, "__notes__", [*getattr(error, "__notes__", ()), f"raised on node {node}"])
    _set(error, "remote_traceback", failed.formatted)
    return error


def _set(error: BaseException, name: str, value: object) -> None:
    """Set an attribute, also of an exception whose own `__setattr__` refuses (a frozen dataclass)."""
    BaseException.__setattr__(error, name, value)


def _user_part(tb: TracebackType | None) -> TracebackType | None:
    while tb is not None and any(part in tb.tb_frame.f_code.co_filename for part in _OURS):
        tb = tb.tb_next
    return tb


def _chain(error: BaseException) -> list[BaseException]:
    found: list[BaseException] = []
    link: BaseException | None = error
    while link is not None and link not in found and len(found) < _CHAIN:
        found.append(link)
        link = link.__cause__
    return found


def _frames(error: BaseException) -> dict[str, Any] | None:
    if error.__traceback__ is None:
        return None
    links = [tblib.Traceback(error.__traceback__)]
    while links[-1].tb_next is not None:
        links.append(links[-1].tb_next)
    if len(links) > _FRAMES:
        links[_FRAMES // 2 - 1].tb_next = links[-_FRAMES // 2]
    frames: dict[str, Any] = links[0].as_dict()
    return frames


def _text(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:
        return "(its text cannot be shown)"


def _pickled(error: BaseException) -> bytes | None:
    """`error` and its causes, if they come back from pickle as they were."""

    def attempt(what: Callable[[], bytes]) -> bytes | None:
        try:
            data = what()
            return data if isinstance(loads(data), BaseException) else None
        except Exception:
            return None

    return attempt(lambda: dumps(_Chained.of(error))) or attempt(lambda: dumps(error))


class _Chained:
    """Pickles an exception together with its ``__cause__`` and notes, which pickle leaves out."""

    def __init__(self, error: BaseException, cause: BaseException | None) -> None:
        self._error = error
        self._cause = cause

    @classmethod
    def of(cls, error: BaseException) -> _Chained:
        return cls(error, error.__cause__)

    def __reduce__(self) -> tuple[Any, ...]:
        return _join, (self._error, _Chained.of(self._cause) if self._cause is not None else None)


def _join(error: BaseException, cause: BaseException | None) -> BaseException:
    _set(error, "__cause__", cause)
    return error
