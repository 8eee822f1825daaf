"""A remote exception on its way to the kernel: its type, its text, its traceback.

An exception that survives a round trip through pickle arrives as itself; any other as a `RemoteError` that carries
its type's name and text. So does one that would end more here than the call it belongs to: SystemExit and whatever
else is no `Exception`, and StopIteration.
"""

from __future__ import annotations

import traceback
from collections.abc import Sequence
from dataclasses import astuple, dataclass, field
from types import TracebackType
from typing import Any

from skyward_jupyter.agent.stack import StackFrame, frames_of, traceback_of
from skyward_jupyter.agent.variables import received, variables_of, wanted
from skyward_jupyter.errors import RemoteError
from skyward_jupyter.showing import is_full, without_ours
from skyward_jupyter.wire import plain
from skyward_jupyter.wire.blobs import Blob
from skyward_jupyter.wire.codec import loads
from skyward_jupyter.wire.exceptions import assign, chain, portable, text_of
from skyward_jupyter.wire.parts import Malformed, Open, Put

#: Frames of these files are ours and say nothing to the user.
_OURS = ("skyward_jupyter/agent/", "skyward_jupyter\\agent\\")
_NOT_RAISED_HERE = (StopIteration, StopAsyncIteration)


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
        Anything else that the message needs: the ``call`` as short text, and the ``variables`` of the frames as of
        `skyward_jupyter.agent.variables`.
    """

    how: str
    type_name: str = ""
    text: str = ""
    formatted: str = ""
    pickled: bytes | None = None
    frames: tuple[tuple[StackFrame, ...], ...] = ()
    facts: dict[str, Any] = field(default_factory=dict)

    def to_bytes(self, put: Put | None) -> bytes:
        """Return it as plain data that fits in a message; large parts go to `put`, or stay where there is none."""
        frames = [[astuple(frame) for frame in part] for part in self.frames]
        texts = map(str, (self.how, self.type_name, self.text, self.formatted))
        return plain.packed([*texts, self.pickled, frames, self.facts], put)

    @classmethod
    def from_bytes(cls, data: bytes, open: Open) -> Failed:
        """Return what `to_bytes` was called on; the exception in it is not loaded.

        Raises
        ------
        Malformed
            It was not made by `to_bytes`.
        """
        try:
            how, name, text, formatted, pickled, frames, facts = plain.unpacked(data, open)
            if not all(isinstance(part, str) for part in (how, name, text, formatted)):
                raise TypeError("a text is not text")
            if not isinstance(pickled, bytes | None) or not isinstance(facts, dict):
                raise TypeError("the exception is not bytes, or the facts are not named")
            stacks = tuple(tuple(StackFrame.checked(frame) for frame in part) for part in frames)
        except (TypeError, ValueError) as error:
            raise Malformed(f"it does not describe a failure: {error}") from None
        return cls(how, name, text, formatted, pickled, stacks, facts)


def describe(error: BaseException, how: str = "raised") -> Failed:
    """`error` with its traceback, without frames of ours, as something that can travel.

    Whatever the exception is like, this does not raise: at worst only its type's name is left.
    """
    try:
        return _described(error, how)
    except BaseException:
        return Failed(how, type(error).__qualname__, text_of(error))


def _described(error: BaseException, how: str) -> Failed:
    assign(error, "__traceback__", _user_part(error.__traceback__))
    links = chain(error)
    if not is_full():
        for link in links:
            assign(link, "__traceback__", without_ours(link.__traceback__))
    return Failed(
        how=how,
        type_name=type(error).__qualname__,
        text=text_of(error),
        formatted="".join(traceback.format_exception(error)),
        pickled=portable(error),
        frames=tuple(frames_of(link.__traceback__) for link in links),
        facts={"variables": rows} if wanted() and (rows := variables_of(links)) else {},
    )


def call_in(data: bytes) -> str:
    """Which call a failure says it is of, where that can be read without its large parts."""
    try:
        call = Failed.from_bytes(data, _no_blob).facts.get("call")
    except (Malformed, LookupError):
        return ""
    return call if isinstance(call, str) else ""


def _no_blob(blob: Blob) -> bytes:
    raise LookupError(blob.name)


def rebuild(failed: Failed, node: int) -> BaseException:
    """The exception on this side, with the remote traceback where a traceback belongs."""
    error: BaseException
    try:
        error = loads(failed.pickled) if failed.pickled is not None else None  # type: ignore[assignment]
        if not isinstance(error, Exception) or isinstance(error, _NOT_RAISED_HERE):
            raise TypeError
    except BaseException:  # whatever code of it raised
        error = RemoteError(failed.type_name, failed.text, node)
    retrace(error, failed.frames, failed.facts.get("variables"))
    by = f" by {call}" if (call := failed.facts.get("call")) else ""
    assign(error, "__notes__", [*getattr(error, "__notes__", ()), f"raised{by} on node {node}"])
    assign(error, "remote_traceback", failed.formatted)
    return error


def retrace(error: BaseException, stacks: Sequence[tuple[StackFrame, ...]], rows: object) -> None:
    """Give an error, its parts and those behind it the tracebacks that they had, with the variables of the frames."""
    known = received(rows)
    for place, (link, frames) in enumerate(zip(chain(error), stacks, strict=False)):
        if frames:
            assign(link, "__traceback__", traceback_of(frames, known.get(place)))


def _user_part(tb: TracebackType | None) -> TracebackType | None:
    while tb is not None and any(part in tb.tb_frame.f_code.co_filename for part in _OURS):
        tb = tb.tb_next
    return tb
