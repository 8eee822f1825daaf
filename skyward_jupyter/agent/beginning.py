"""The initializer of an executor, in a slot: it runs once there, before the first job of that executor.

The names it binds in its module, and what it changes in place, are there for that executor's jobs. A function that
travelled by value has names of its own, so they are lent to it; one of a module that is imported here shares them
anyway.
"""

from __future__ import annotations

import functools
import inspect
import sys
import threading
import types
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from skyward_jupyter.agent.coroutines import settled
from skyward_jupyter.errors import ExecutorBroken

_FIXED = (int, float, complex, str, bytes, bool, type(None), type, types.ModuleType, types.FunctionType)


@dataclass(frozen=True, slots=True)
class Lent:
    """The names of a module that an initializer bound, or may have changed."""

    module: str
    names: dict[str, object]


#: What became of the initializer of each executor, in each thread that runs jobs.
_begun: dict[tuple[str, int], list[Lent] | ExecutorBroken] = {}


def begin(executor: str, load: Callable[[], tuple[Callable[..., Any], tuple[Any, ...]]]) -> list[Lent]:
    """Run the initializer of `executor`, which `load` gives with its arguments, unless that was done here.

    Raises
    ------
    ExecutorBroken
        It raised something, now or before.
    """
    key = executor, threading.get_ident()
    if key not in _begun:
        try:
            _begun[key] = _run(*load())
        except KeyboardInterrupt:  # the job was cancelled: the next one tries again
            raise
        except BaseException as error:
            text = f"the initializer raised {type(error).__name__}: {error}; the executor runs no more jobs"
            broken = _begun[key] = ExecutorBroken(text)
            broken.executor = executor
            raise broken from error
    known = _begun[key]
    if isinstance(known, ExecutorBroken):
        raise known
    return known


def lend(lent: list[Lent], *values: object) -> None:
    """Give the names to the functions in `values` that are of the same modules."""
    for function in _functions(*values):
        for each in lent:
            if each.module == function.__module__ and not _imported(function):
                function.__globals__.update(each.names)


def _run(initializer: Callable[..., Any], arguments: tuple[Any, ...]) -> list[Lent]:
    before = [(function, dict(function.__globals__)) for function in _functions(initializer)]
    settled(initializer(*arguments))
    return [Lent(function.__module__, _changed(function.__globals__, names)) for function, names in before]


def _changed(now: dict[str, object], before: dict[str, object]) -> dict[str, object]:
    absent = object()
    return {
        name: value
        for name, value in now.items()
        if before.get(name, absent) is not value or not (isinstance(value, _FIXED) or name.startswith("__"))
    }


def _imported(function: types.FunctionType) -> bool:
    module = sys.modules.get(function.__module__)
    return module is not None and function.__globals__ is vars(module)


def _functions(*values: object) -> Iterator[types.FunctionType]:
    """The functions that calling `values` calls first."""
    for value in values:
        match value:
            case types.FunctionType():
                yield value
                if (inner := inspect.unwrap(value)) is not value:
                    yield from _functions(inner)
            case functools.partial():
                yield from _functions(value.func, *filter(callable, value.args))
            case types.MethodType():
                yield from _functions(value.__func__)
            case type():
                yield from _functions(value.__dict__.get("__init__"))
            case _:
                yield from _functions(*filter(_is_function, (inspect.getattr_static(value, "__call__", None),)))


def _is_function(value: object) -> bool:
    return isinstance(value, types.FunctionType)
