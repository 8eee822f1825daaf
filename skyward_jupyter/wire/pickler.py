"""The pickler of every payload: cloudpickle's, with what a notebook needs beyond it.

Code keeps the name of the file or cell it was compiled from, whatever the version of cloudpickle: tracebacks, warnings
and `inspect.getsource` find its lines by that name. Classes, objects that pickle as a name, and names of IPython go as
`skyward_jupyter.wire.classes`, `named` and `shells` say. Whatever a module that others can import has is pickled by
its name, as everywhere; functions and classes of an own module that is still being imported go by value.
"""

from __future__ import annotations

import importlib
import sys
import types
from collections.abc import Callable
from typing import Any

import cloudpickle

from skyward_jupyter.wire import classes, named, shells, spaces
from skyward_jupyter.wire.own import is_unfinished

__all__ = ["Pickler"]

type _Reduced = tuple[Any, ...]

_PROTOCOL = 5


class Pickler(cloudpickle.Pickler):
    """Pickles values by protocol 5."""

    def __init__(self, file: Any, buffer_callback: Callable[[Any], Any] | None = None) -> None:
        # One plain dict: the table is asked about every object, and a chain of dicts costs more than the pickling.
        self.dispatch_table = _table()
        self._spaces: dict[int, spaces.Space] = {}
        super().__init__(file, protocol=_PROTOCOL, buffer_callback=buffer_callback)

    def reducer_override(self, value: Any) -> Any:
        """Return how `value` is made elsewhere, or NotImplemented for how `pickle` does it."""
        kind = type(value)
        if kind is types.FunctionType:
            reduced = self._of_function(value)
            if reduced is NotImplemented:
                return shells.of_function(value) or reduced
            return named.of_generic(value) if named.is_generic(value) else reduced
        if issubclass(kind, type):
            reduced = super().reducer_override(value)
            if reduced is NotImplemented and is_unfinished(value.__module__):
                reduced = cloudpickle.cloudpickle._dynamic_class_reduce(value)
            return reduced if reduced is NotImplemented or len(reduced) < 6 else classes.with_slots(value, reduced)
        reduce = self.dispatch_table.get(kind)
        if reduce is None and kind.__reduce_ex__ is _reduce_ex and kind.__reduce__ is _reduce:
            return _module(value) if issubclass(kind, types.ModuleType) else NotImplemented
        reduced = reduce(value) if reduce is not None else value.__reduce_ex__(_PROTOCOL)
        if not isinstance(reduced, str):
            return reduced
        return NotImplemented if named.is_importable(value, reduced) else named.by_value(value, reduced)

    def _of_function(self, value: Any) -> Any:
        reduced = super().reducer_override(value)
        if reduced is NotImplemented and is_unfinished(value.__module__):
            return self._dynamic_function_reduce(value)
        return reduced if reduced is NotImplemented else spaces.of_function(value, reduced, self._spaces)


_reduce_ex: Any = object.__reduce_ex__
_reduce: Any = object.__reduce__


def _table() -> dict[type, Callable[[Any], Any]]:
    found: dict[type, Callable[[Any], Any]] = {}
    for part in reversed(cloudpickle.Pickler.dispatch_table.maps):
        found.update(part)
    found[types.CodeType] = _code
    found.update(shells.reducers())
    return found


def _module(module: types.ModuleType) -> Any:
    """Return how a module is made that put an object of a class of its own in its place."""
    name = getattr(module, "__name__", "")
    return (importlib.import_module, (name,)) if sys.modules.get(name) is module else NotImplemented


def _code(code: types.CodeType) -> _Reduced:
    """Return how `code` is made again.

    Strings and tuples are copied, as cloudpickle does: which of them are one object differs between processes, and
    would show in the bytes.
    """
    return types.CodeType, (
        code.co_argcount,
        code.co_posonlyargcount,
        code.co_kwonlyargcount,
        code.co_nlocals,
        code.co_stacksize,
        code.co_flags,
        code.co_code,
        code.co_consts,
        (*code.co_names,),
        (*code.co_varnames,),
        "".join(code.co_filename),
        "".join(code.co_name),
        code.co_qualname,
        code.co_firstlineno,
        code.co_linetable,
        code.co_exceptiontable,
        (*code.co_freevars,),
        (*code.co_cellvars,),
    )
