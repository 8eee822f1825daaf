"""What a function that was sent took along: whether anything of it can change, and whether anything has.

A function of the notebook brings the globals, closure and defaults that it uses. Calls that meet in a slot must not see
what another made of them, so a slot keeps a function loaded only while all of that is as it was sent; see `Loaded`.
Caches of `functools` may fill: that is what they are for. What modules hold belongs to the process, as everywhere.
"""

from __future__ import annotations

import datetime as dt
import decimal
import dis
import enum
import functools
import pathlib
import re
import sys
import types
from collections.abc import Callable, Iterator
from typing import Any

from skyward_jupyter.wire.named import is_generic

_EQUAL = (int, float, complex, str, bytes, bool, type(None), types.CodeType)
_CONSTANT = (
    *_EQUAL,
    range,
    type(...),
    type(NotImplemented),
    types.ModuleType,
    types.GetSetDescriptorType,
    types.MemberDescriptorType,
    types.WrapperDescriptorType,
    types.MethodDescriptorType,
    dt.date,
    dt.timedelta,
    dt.tzinfo,
    decimal.Decimal,
    enum.Enum,
    pathlib.PurePath,
    re.Pattern,
)
_MOST = 2000
#: What code does that binds a name or an attribute outside itself, and names by which it may do so unseen.
_BINDING = frozenset(
    {"STORE_GLOBAL", "DELETE_GLOBAL", "STORE_DEREF", "DELETE_DEREF", "STORE_ATTR", "DELETE_ATTR", "STORE_NAME"}
)
_WAYS = frozenset(
    {"globals", "locals", "vars", "exec", "eval", "setattr", "delattr", "getattr", "__dict__", "__globals__"}
    | {"__closure__", "__defaults__", "__kwdefaults__", "__setattr__", "__import__", "_getframe", "currentframe"}
    | {"f_globals", "cell_contents", "modules", "import_module"}
)
#: Around the ``__repr__`` of a dataclass, and of who asks for it: they note which objects are being shown.
_REPEATING = (
    "_recursive_repr.<locals>.wrapper",
    "recursive_repr.<locals>.decorating_function.<locals>.wrapper",
)

type Reading = tuple[object, ...]


class Loaded:
    """A function as it came, for one call after another.

    Parameters
    ----------
    load
        Gives the function anew, with what it took along.
    """

    def __init__(self, load: Callable[[], Any]) -> None:
        self._load = load
        self._function: Any = None
        self._as_sent: Reading | None = None
        self._stays = False

    def forget(self) -> None:
        """Load it for the next call: modules that it may come from were loaded again."""
        self._function = self._as_sent = None

    def get(self) -> Any:
        """The function for the next call: the one before, unless what it took along can change or has changed."""
        if self._as_sent is not None and (self._stays or _same(self._as_sent, reading(self._function))):
            return self._function
        self._function = None
        function = self._load()
        self._as_sent = reading(function)
        if self._as_sent is not None:
            self._function = function
            self._stays = all(not isinstance(part, types.CodeType) or _changes_nothing(part) for part in self._as_sent)
        return function


def reading(value: object) -> Reading | None:
    """What there is to be compared of all that `value` took along; None if something of it can change by itself."""
    found: list[object] = []
    seen: set[int] = set()
    waiting = [value]
    while waiting:
        part = waiting.pop()
        if isinstance(part, _CONSTANT):
            found.append(part)
            continue
        if id(part) in seen:
            continue
        seen.add(id(part))
        inner = _parts(part, found)
        if inner is None or len(found) > _MOST:
            return None
        waiting.extend(inner)
    return tuple(found)


@functools.lru_cache(maxsize=512)
def _changes_nothing(code: types.CodeType) -> bool:
    """Whether code is certain to bind no global, no variable of an enclosing function and no attribute anew."""
    if not _WAYS.isdisjoint(code.co_names):
        return False
    if any(step.opname in _BINDING for step in dis.get_instructions(code)):
        return False
    return all(_changes_nothing(const) for const in code.co_consts if isinstance(const, types.CodeType))


def _same(before: Reading, now: Reading | None) -> bool:
    return now is not None and len(before) == len(now) and all(map(_equal, before, now))


def _equal(a: object, b: object) -> bool:
    return a is b or (type(a) is type(b) and isinstance(a, _EQUAL) and a == b)


def _parts(value: Any, found: list[object]) -> list[object] | None:
    """The parts of a value that cannot change by itself, in an order that stays; None for any other."""
    match value:
        case _ if _is_of_a_module(value):
            found.append(value)
            return []
        case types.FunctionType():
            return _of_function(value)
        case type():
            return list(_of_class(value))
        case tuple() | frozenset() if type(value) in (tuple, frozenset):
            return list(value)
        case functools._lru_cache_wrapper():
            found.append(value)
            return [getattr(value, "__wrapped__", None)]
        case staticmethod() | classmethod():
            return [value.__func__]
        case property():
            return [value.fget, value.fset, value.fdel]
        case functools.cached_property():
            return [value.func]
        case types.MethodType():
            return [value.__self__, value.__func__]
        case functools.partial() if type(value) is functools.partial:
            return [value.func, *value.args, *value.keywords, *value.keywords.values()]
        case types.BuiltinFunctionType():
            found.append(value)
            return [] if value.__self__ is None or isinstance(value.__self__, types.ModuleType) else [value.__self__]
        case _ if type(value).__module__.startswith("skyward_jupyter."):
            return [value.function] if hasattr(value, "function") else []
    return None


def _is_of_a_module(value: Any) -> bool:
    """Whether it is what a module has under its name, so that it came as that name."""
    module = sys.modules.get(getattr(value, "__module__", None) or "")
    name = getattr(value, "__qualname__", None) or getattr(value, "__name__", None)
    if module is None or module.__name__ == "__main__" or not isinstance(name, str):
        return False
    found: object = module
    for part in name.split("."):
        found = getattr(found, part, None)
    return found is value


def _of_function(function: Any) -> list[object]:
    if is_generic(function):
        return [part for pair in function.registry.items() for part in pair]
    if function.__code__.co_qualname in _REPEATING:
        return [function.__wrapped__]
    inner: list[object] = [function.__code__, *(function.__defaults__ or ())]
    for held in (function.__kwdefaults__ or {}, function.__dict__):
        for name, value in held.items():
            inner += (name, value)
    for cell in function.__closure__ or ():
        try:
            inner.append(cell.cell_contents)
        except ValueError:
            inner.append(None)
    scope = function.__globals__
    for name in _names(function.__code__):
        if name in scope:
            inner += (name, scope[name])
    return inner


def _of_class(kind: type) -> Iterator[object]:
    """What a class has that code might change; what Python itself keeps there is no such thing."""
    yield from kind.__bases__
    fixed = issubclass(kind, enum.Enum) or (issubclass(kind, tuple) and hasattr(kind, "_fields"))
    for name, value in vars(kind).items():
        kept = fixed or name == "_abc_impl" or (name.startswith("__") and name.endswith("__"))
        if not kept or isinstance(value, types.FunctionType):
            yield name
            yield value


@functools.lru_cache(maxsize=512)
def _names(code: types.CodeType) -> tuple[str, ...]:
    inner = [const for const in code.co_consts if isinstance(const, types.CodeType)]
    return tuple(dict.fromkeys((*code.co_names, *(name for part in inner for name in _names(part)))))
