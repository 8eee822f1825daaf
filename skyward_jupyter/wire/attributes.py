"""Things of the user's own modules that no pickle can hold: they travel by name.

A lock or a connection that a function of the notebook took with ``from module import lock`` is one of that module's on
the node, too. It is looked for only when pickling a value has failed.
"""

from __future__ import annotations

import importlib
import io
import types
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from skyward_jupyter.wire.own import own_modules
from skyward_jupyter.wire.pickler import Pickler

type Names = Mapping[int, tuple[str, str]]
#: Makes a pickler; takes what `Pickler` takes.
type Make = Callable[..., Pickler]

_PICKLED_ANYWAY = (types.ModuleType, types.FunctionType, type, int, float, str, bytes, type(None))
_found: dict[str, tuple[types.ModuleType, int, dict[int, tuple[str, str]]]] = {}


def with_attributes[T](dump: Callable[[Make], T], pickler: type[Pickler] = Pickler) -> T:
    """Return what `dump` gives with a `pickler`; when that fails, with one that knows names of what has no pickle."""
    try:
        return dump(pickler)
    except Exception:
        names = _names()
        if not names:
            raise
    naming: Make = type(pickler.__name__, (_Naming, pickler), {})
    return dump(partial(naming, names))


class _Naming(Pickler):
    """Pickles some objects as what their module has under a name."""

    def __init__(self, names: Names, file: Any, buffer_callback: Callable[[Any], Any] | None = None) -> None:
        super().__init__(file, buffer_callback)
        self._names = names

    def reducer_override(self, value: Any) -> Any:
        """Return how `value` is made elsewhere; see `pickle.Pickler`."""
        named = self._names.get(id(value))
        return super().reducer_override(value) if named is None else (_attribute, named)


def _attribute(module: str, name: str) -> object:
    return getattr(importlib.import_module(module), name)


def _names() -> Names:
    names: dict[int, tuple[str, str]] = {}
    for module in own_modules():
        known = _found.get(module.__name__)
        if known is None or known[0] is not module or known[1] != len(vars(module)):
            known = _found[module.__name__] = module, len(vars(module)), _unpicklable(module)
        names.update(known[2])
    return names


def _unpicklable(module: types.ModuleType) -> dict[int, tuple[str, str]]:
    found: dict[int, tuple[str, str]] = {}
    for name, value in list(vars(module).items()):
        if name.startswith("__") or isinstance(value, _PICKLED_ANYWAY):
            continue
        try:
            Pickler(io.BytesIO(), buffer_callback=lambda buffer: False).dump(value)
        except Exception:
            found[id(value)] = module.__name__, name
    return found
