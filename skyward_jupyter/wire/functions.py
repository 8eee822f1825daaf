"""Whether pickling a function again would give the same bytes.

A function of a module is sent by its name. One of the notebook is sent by value and takes along the globals it reads.
If all of those are immutable, or modules and functions of which the same holds, and none was bound anew, the bytes are
the same; then a call costs no second pickling. Anything else makes the answer "unknown", which is always right.
"""

from __future__ import annotations

import sys
import types
import weakref

from skyward_jupyter.wire.own import goes_by_value

_IMMUTABLE = frozenset({int, float, complex, str, bytes, bool, type(None)})
_DEPTH = 4

_names: weakref.WeakKeyDictionary[types.CodeType, tuple[str, ...]] = weakref.WeakKeyDictionary()


def reads(function: object) -> tuple[object, ...] | None:
    """What `function` would take along, to be compared by identity; None when that says nothing about its bytes."""
    found: list[object] = []
    # The function itself is the cache's key: held here, it would never be let go.
    return tuple(found[1:]) if _collect(function, found, 0) else None


def same(before: tuple[object, ...], now: tuple[object, ...] | None) -> bool:
    """Whether two readings are of the same objects."""
    return now is not None and len(before) == len(now) and all(a is b for a, b in zip(before, now, strict=True))


def _collect(value: object, found: list[object], depth: int) -> bool:
    if type(value) in _IMMUTABLE:
        found.append(value)
        return True
    if isinstance(value, types.ModuleType):
        found.append(value)
        return not goes_by_value(value.__name__)
    if isinstance(value, types.BuiltinFunctionType):
        found.append(value)
        return value.__self__ is None or isinstance(value.__self__, types.ModuleType)
    if not isinstance(value, types.FunctionType) or depth > _DEPTH or value.__dict__:
        return False
    if value in found:
        return True
    if _has_name(value):
        found.append(value)
        return True
    found.extend((value, value.__code__))
    inner = [*(value.__defaults__ or ()), *(value.__kwdefaults__ or {}).values()]
    for cell in value.__closure__ or ():
        try:
            inner.append(cell.cell_contents)
        except ValueError:
            return False
    scope = value.__globals__
    for name in _global_names(value.__code__):
        if name in scope:
            inner.extend((name, scope[name]))
    return all(_collect(part, found, depth + 1) for part in inner)


def _global_names(code: types.CodeType) -> tuple[str, ...]:
    known = _names.get(code)
    if known is None:
        inner = [const for const in code.co_consts if isinstance(const, types.CodeType)]
        known = tuple(dict.fromkeys((*code.co_names, *(name for part in inner for name in _global_names(part)))))
        _names[code] = known
    return known


def _has_name(function: types.FunctionType) -> bool:
    """Whether a function is what its module has under its name, so that the name is all that is sent."""
    module = sys.modules.get(function.__module__ or "")
    if module is None or module.__name__ == "__main__":
        return False
    found: object = module
    for part in function.__qualname__.split("."):
        found = getattr(found, part, None)
    return found is function and not goes_by_value(module.__name__)
