"""The pickler of every payload: cloudpickle's, with what a notebook needs beyond it.

Code keeps the name of the file or cell it was compiled from, whatever the version of cloudpickle: tracebacks, warnings
and `inspect.getsource` find its lines by that name.
"""

from __future__ import annotations

import types
from collections import ChainMap
from typing import Any

import cloudpickle

__all__ = ["Pickler"]

type _Reduced = tuple[Any, ...]


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


class Pickler(cloudpickle.Pickler):
    """Pickles values by protocol 5."""

    dispatch_table = ChainMap({types.CodeType: _code}, cloudpickle.Pickler.dispatch_table)
