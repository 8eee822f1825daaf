"""A call in one short line, as in ``f(3, path='a.csv')``, and values as short text, whatever they are.

A text is bounded, and so is the time that it takes: what runs code of the user's to get it does so in a thread that is
waited for a second at most. Values of names that sound like a secret are not shown at all.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
import re
import signal
import threading
import types
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from queue import Empty, SimpleQueue
from typing import Any, ClassVar

#: Characters of a call, and of one value of it.
CALL = 80
VALUE = 40
#: How long the user's own code may take for its text, for all values together (seconds).
PATIENCE = 1.0
#: From so many characters on, an array shows its items.
_ROOMY = 200
_DEPTH = 4
_BITS = 300
_SECRET = re.compile(
    r"(^|_)((password|passwd|pwd|passphrase|secrets?|credentials?)(_|$)|(token|auth|authorization|key)$)", re.IGNORECASE
)
#: Names that end as some of them do, and are of none.
_OPEN = re.compile(r"^(key|(sort|group|primary|foreign|public|dict|cache|random|rng|prng)_key)$", re.IGNORECASE)
HIDDEN = "<hidden>"
_CUT = "..."
_BRACKETS: dict[Any, tuple[str, str]] = {
    dict: ("{", "}"),
    list: ("[", "]"),
    set: ("{", "}"),
    frozenset: ("({", "})"),
    deque: ("([", "])"),
}
#: Types whose text takes too long; their own is not asked for again.
_slow: set[type] = set()

type Own = Callable[[object, int], str]


class _Full(Exception):
    """There is no room for more."""


def is_secret(name: str) -> bool:
    """Whether a name sounds like that of a secret."""
    return _SECRET.search(name) is not None and not _OPEN.match(name)


def called(function: object, args: Sequence[object], kwargs: Mapping[str, object]) -> str:
    """A call as it may have been written, shortened; never raises."""
    try:
        name = _name(function)
        named = _named(function, args)
        values = [*args, *kwargs.values()]
        hidden = [*(is_secret(one) for one in named), *map(is_secret, kwargs)]
        texts = shown([(value, VALUE) for value in values], hidden)
    except Exception:
        return "the call"
    given = texts[: len(args)] + [f"{key}={text}" for key, text in zip(kwargs, texts[len(args) :], strict=True)]
    return f"{name}({_fitting(given, CALL - len(name) - 2)})"


def shown(values: Sequence[tuple[object, int]], hidden: Sequence[bool] = ()) -> list[str]:
    """Texts of values, each with the characters that it may have; never raises, and takes no longer than `PATIENCE`."""
    secret = [*hidden, *(False for _ in range(len(values) - len(hidden)))]
    found: list[str | None] = []
    for (value, room), keep in zip(values, secret, strict=True):
        found.append(HIDDEN if keep else plain(value, room))
    foreign = [place for place, text in enumerate(found) if text is None]
    if foreign:
        for place, text in zip(foreign, _patiently([values[place] for place in foreign]), strict=True):
            found[place] = text
    return [text or "" for text in found]


def plain(value: object, room: int) -> str | None:
    """The text of a value made of Python's own types alone, found without code of others; None for any other."""
    try:
        return _Text(room, _refuse).of(value)
    except _Foreign:
        return None


class _Foreign(Exception):
    """Somebody else's object is part of it."""


def _refuse(value: object, room: int) -> str:
    if type(value).__repr__ is object.__repr__ and not hasattr(type(value), "shape"):
        return _by_type(value)
    raise _Foreign


class _Text:
    """Writes one value."""

    def __init__(self, room: int, own: Own) -> None:
        self._room = room
        self._left = room
        self._own = own
        self._parts: list[str] = []

    def of(self, value: object) -> str:
        """Its text."""
        try:
            self._write(value, 0)
        except _Full:
            return "".join(self._parts)[: max(0, self._room - len(_CUT))] + _CUT
        return "".join(self._parts)

    def _put(self, text: str) -> None:
        self._parts.append(text)
        self._left -= len(text)
        if self._left < 0:
            raise _Full

    def _write(self, value: object, depth: int) -> None:
        kind = type(value)
        match value:
            case None | bool() | float() | complex() if kind.__module__ == "builtins":
                self._put(repr(value))
            case int() if kind is int:
                bits = value.bit_length()
                self._put(repr(value) if bits <= _BITS else f"<int of {bits} bits>")
            case str() | bytes() if kind in (str, bytes):
                self._put(repr(value[: self._left + 1]))
            case types.FunctionType() | types.BuiltinFunctionType() | types.MethodType() | type():
                self._put(getattr(value, "__qualname__", kind.__name__).rpartition("<locals>.")[2])
            case types.ModuleType():
                self._put(f"<module {value.__name__}>")
            case dict() | list() | tuple() | set() | frozenset() | deque() if _walked(kind):
                self._items(value, depth)
            case range() | slice():
                self._put(repr(value))
            case _:
                self._put(self._own(value, self._room))

    def _items(self, value: Any, depth: int) -> None:
        kind = type(value)
        exact = kind in (dict, list, tuple, set, frozenset)
        before, after = _BRACKETS.get(kind, ("(", ")"))
        name = "" if exact and kind is not frozenset else kind.__name__
        if kind is set and not value:
            name, before, after = "set", "(", ")"
        self._put(name + before)
        if depth >= _DEPTH:
            self._put(_CUT)
        elif isinstance(value, dict):
            for place, (key, item) in enumerate(islice(dict.items(value), self._left + 1)):
                self._put(", " if place else "")
                self._write(key, depth + 1)
                self._put(": ")
                if isinstance(key, str) and is_secret(key):
                    self._put(HIDDEN)
                else:
                    self._write(item, depth + 1)
        else:
            for place, item in enumerate(_iterated(value, self._left + 1)):
                self._put(", " if place else "")
                self._write(item, depth + 1)
        if kind is tuple and len(value) == 1:
            self._put(",")
        self._put(after)


def _iterated(value: Any, most: int) -> Iterator[object]:
    """The items by the way of Python's own type, whatever a class of its own does."""
    base: Any = next(kind for kind in (list, tuple, set, frozenset, deque) if isinstance(value, kind))
    return islice(base.__iter__(value), most)


def _walked(kind: type) -> bool:
    """Whether a container is shown by its items, rather than by a text of its own."""
    return kind.__module__ in ("builtins", "collections") or not isinstance(kind.__repr__, types.FunctionType)


def _patiently(values: Sequence[tuple[object, int]]) -> list[str]:
    """Texts of objects that may have code of their own; where it takes too long, they are called by their types."""
    found: list[str] = []
    asked: list[type] = []

    def own(value: object, room: int) -> str:
        asked.append(type(value))
        text = _own(value, room)
        asked.pop()
        return text

    def work() -> None:
        for value, room in values:
            found.append(_safely(value, room, own))

    try:
        asker = _Asker.free()
    except RuntimeError:  # no thread is to be had: the interpreter ends, or the machine has no room
        return [_safely(value, room, _by_type) for value, room in values]
    asker.within(PATIENCE, work)
    done = list(found)
    if len(done) < len(values):
        _slow.update(asked[-1:])
    return done + [_safely(value, room, _by_type) for value, room in values[len(done) :]]


class _Asker:
    """A thread that asks objects for their texts, kept for the next ones unless it takes too long."""

    _idle: ClassVar[deque[_Asker]] = deque()

    def __init__(self) -> None:
        self._work: SimpleQueue[tuple[Callable[[], None], SimpleQueue[None]]] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="skyward-texts", daemon=True)
        self._thread.start()

    @classmethod
    def free(cls) -> _Asker:
        """One that does nothing; RuntimeError where none can be started."""
        while cls._idle:
            with contextlib.suppress(IndexError):  # another thread took the last
                found = cls._idle.pop()
                if found._thread.is_alive():  # which those of the parent of a fork are not
                    return found
        return cls()

    def within(self, seconds: float, work: Callable[[], None]) -> None:
        """Wait for work to be done, but no longer."""
        done: SimpleQueue[None] = SimpleQueue()
        self._work.put((work, done))
        with contextlib.suppress(Empty):
            done.get(timeout=seconds)
            self._idle.append(self)

    def _run(self) -> None:
        if hasattr(signal, "pthread_sigmask"):  # the main thread is to have it, and soon
            signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT,))
        while True:
            work, done = self._work.get()
            work()
            done.put(None)
            del work, done


def _safely(value: object, room: int, own: Own) -> str:
    try:
        return _Text(room, own).of(value)
    except BaseException as error:  # whatever code of it raised
        return f"<{type(value).__name__}, whose text raises {type(error).__name__}>"


def _by_type(value: object, room: int = 0) -> str:
    return f"<{type(value).__name__}>"


def _own(value: object, room: int) -> str:
    """What an object says of itself: an array or frame its shape where there is little room, another its `repr`."""
    kind = type(value)
    if kind in _slow:
        return _by_type(value)
    shape = getattr(value, "shape", None) if room < _ROOMY and hasattr(kind, "shape") else None
    if isinstance(shape, tuple) and shape:
        dtype = getattr(value, "dtype", None)
        return f"<{kind.__name__} of shape {shape!r}{f', {dtype}' if dtype is not None else ''}>"
    if kind.__repr__ is object.__repr__:
        return _by_type(value)
    try:
        return str(repr(value))
    except BaseException as error:  # whatever code of it raised
        return f"<{kind.__name__}, whose repr raises {type(error).__name__}>"


def _name(function: object) -> str:
    while isinstance(function, functools.partial):
        function = function.func
    name = getattr(function, "__qualname__", "") or getattr(function, "__name__", "") or type(function).__name__
    return str(name).rpartition("<locals>.")[2][:CALL]


def _named(function: object, args: Sequence[object]) -> list[str]:
    """The parameters that positional arguments are for, as far as they are known."""
    try:
        names = list(inspect.signature(function).parameters)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        names = []
    return [*names, *("" for _ in args)][: len(args)]


def _fitting(given: Sequence[str], room: int) -> str:
    text = ", ".join(given)
    if len(text) <= room:
        return text
    taken: list[str] = []
    for one in given:
        if sum(map(len, taken)) + 2 * len(taken) + len(one) + len(_CUT) + 2 > room:
            break
        taken.append(one)
    return ", ".join([*taken, _CUT])
