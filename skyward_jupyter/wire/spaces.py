"""The global names of a function that goes by value although it is of an own module, as one behind a decorator.

Where it arrives they are those of the module there: its ``__file__``, its locks, its caches and registries. Where the
module cannot be imported they are what the function brought along.
"""

from __future__ import annotations

import importlib
import sys
import types
from typing import Any

from cloudpickle.cloudpickle import _function_setstate

from skyward_jupyter.wire.own import goes_by_value, is_own, is_unfinished

type _Reduced = tuple[Any, ...]

#: Modules that could not be imported since `forget`.
_absent: set[str] = set()


class Space:
    """The global names of a module, on their way."""

    def __init__(self, module: str, brought: dict[str, Any]) -> None:
        self._parts = module, brought

    def __reduce__(self) -> _Reduced:
        return _space, self._parts


def of_function(function: types.FunctionType, reduced: _Reduced, spaces: dict[int, Space]) -> _Reduced:
    """Return how `function`, which goes by value as `reduced`, is made with the names of its module.

    Parameters
    ----------
    spaces
        Those that are in the same pickle already.
    """
    name = function.__globals__.get("__name__")
    module = sys.modules.get(name) if isinstance(name, str) else None
    if not isinstance(module, types.ModuleType) or vars(module) is not function.__globals__:
        return reduced
    if not is_own(module) or is_unfinished(name) or goes_by_value(module.__name__):
        return reduced
    make, (code, brought, *more), state, *_ = reduced
    space = spaces.setdefault(id(brought), Space(module.__name__, brought))
    return make, (code, space, *more), state, None, None, _settled


def forget() -> None:
    """Try again to import what could not be imported."""
    _absent.clear()


def _space(name: str, brought: dict[str, Any]) -> dict[str, Any]:
    if name in _absent:
        return brought
    try:
        return vars(importlib.import_module(name))
    except Exception:
        _absent.add(name)
        return brought


def _settled(function: types.FunctionType, state: tuple[dict[str, Any], dict[str, Any]]) -> None:
    """Complete a function; a module's names stay what they are there."""
    attributes, slots = state
    module = sys.modules.get(function.__globals__.get("__name__", ""))
    if module is not None and vars(module) is function.__globals__:
        slots = slots | {"__globals__": {}}
    _function_setstate(function, (attributes, slots))
