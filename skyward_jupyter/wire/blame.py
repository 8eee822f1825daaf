"""Which part of a value cannot be pickled, and where it sits inside it."""

from __future__ import annotations

import asyncio
import concurrent.futures
import functools
import inspect
import threading
import types
from collections import deque
from collections.abc import Iterator, Mapping

from skyward_jupyter.errors import NotPicklable
from skyward_jupyter.wire.codec import dumps
from skyward_jupyter.wire.named import is_generic
from skyward_jupyter.wire.stays import Stays

_LOCKS = (type(threading.Lock()), type(threading.RLock()), threading.Condition, threading.Semaphore)
_DEPTH = 12
_WIDTH = 1000
_TOO_DEEP = "it is nested too deeply"


def explain(name: str, value: object) -> NotPicklable:
    """The error for a `value` called `name` that pickling refused.

    Parts are tried one by one, depth first, and the deepest one that fails on its own is named; one that says itself
    that it stays is not looked into.
    """
    failure = _failure(value)
    whole = _reason(failure) == _TOO_DEEP or (isinstance(failure, Stays) and failure.value is value)
    path, part = (name, value) if whole else _deepest(name, value, 0, {id(value)})
    failure = _kept_here(part) or _failure(part)
    kind = type(part)
    advice = failure.advice if isinstance(failure, Stays) else _instead(part)
    called = f"{kind.__module__}.{kind.__qualname__}".removeprefix("builtins.")
    return NotPicklable(path, called, _reason(failure), advice)


def _instead(part: object) -> str:
    """What to do with a part that many send by mistake; empty for others."""
    match part:
        case types.GeneratorType():
            return "send a list of what it gives, as list(...) makes, or make it on the node"
        case _ if isinstance(part, _LOCKS):
            return "make it where it is used, on the node; sky.lock(NAME) is one that nodes and notebook share"
    return ""


def _failure(value: object) -> BaseException | None:
    try:
        dumps(value)
    except BaseException as error:
        return error
    return None


def _reason(failure: BaseException | None) -> str:
    if isinstance(failure, RecursionError) or isinstance(getattr(failure, "__cause__", None), RecursionError):
        return _TOO_DEEP
    return str(failure or "") or (type(failure).__name__ if failure else "pickling it failed")


def _kept_here(value: object) -> Stays | None:
    """What belongs to the loop or the thread that waits for it."""
    if isinstance(value, concurrent.futures.Future):
        return Stays(value, "a future stays where it was made", "wait for it and send what it gives: future.result()")
    if isinstance(value, types.CoroutineType | asyncio.Future):
        return Stays(value, "it is awaited where it was made", "await it first, and send what it gives")
    return None


def _deepest(path: str, value: object, depth: int, seen: set[int]) -> tuple[str, object]:
    if depth < _DEPTH and _kept_here(value) is None:
        for inner, part in _parts(path, value):
            if id(part) in seen:
                continue
            seen.add(id(part))
            failure = _failure(part)
            if isinstance(failure, Stays) and failure.value is part:
                return inner, part
            if failure is not None:
                return _deepest(inner, part, depth + 1, seen)
    return path, value


def _parts(path: str, value: object) -> Iterator[tuple[str, object]]:
    match value:
        case Mapping():
            for key, item in list(value.items())[:_WIDTH]:
                yield f"{path}[{key!r}]", item
        case list() | tuple() | set() | frozenset() | deque():
            for index, item in enumerate(list(value)[:_WIDTH]):
                yield f"{path}[{index}]", item
        case types.FunctionType() if is_generic(value):
            for kind, implementation in value.registry.items():  # type: ignore[attr-defined]
                yield f"{path}.dispatch({kind.__qualname__})", implementation
        case types.FunctionType():
            yield from _closure(path, value)
        case functools._lru_cache_wrapper():
            yield from _parts(path, value.__wrapped__)
        case types.MethodType():
            yield f"{path}.__self__", value.__self__
        case functools.partial():
            yield f"{path}.func", value.func
            yield from _parts(f"{path}.args", value.args)
            yield from _parts(f"{path}.keywords", value.keywords)
        case type():
            yield from _attributes(path, vars(value))
        case _:
            yield from _of_instance(path, value)


def _of_instance(path: str, value: object) -> Iterator[tuple[str, object]]:
    """Its attributes, then its class, which goes along when it is the user's."""
    found = dict(getattr(value, "__dict__", {}))
    for kind in type(value).__mro__:
        slots = kind.__dict__.get("__slots__", ())
        for slot in [slots] if isinstance(slots, str) else slots:
            if slot not in ("__dict__", "__weakref__") and hasattr(value, slot):
                found[slot] = getattr(value, slot)
    yield from _attributes(path, found)
    yield type(value).__qualname__, type(value)


def _attributes(path: str, found: Mapping[str, object]) -> Iterator[tuple[str, object]]:
    for key, item in list(found.items())[:_WIDTH]:
        yield f"{path}.{key}", item


def _closure(path: str, function: types.FunctionType) -> Iterator[tuple[str, object]]:
    found = inspect.getclosurevars(function)
    for name, item in {**found.nonlocals, **found.globals}.items():
        yield f"{name} (used by {path})", item
    code = function.__code__
    defaults = function.__defaults__ or ()
    named = code.co_varnames[code.co_argcount - len(defaults) : code.co_argcount]
    for name, item in {**dict(zip(named, defaults, strict=False)), **(function.__kwdefaults__ or {})}.items():
        yield f"{name} (default of {path})", item
