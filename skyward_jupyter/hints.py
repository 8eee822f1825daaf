"""What to write instead of a name that is not there: the near ones, and what is called otherwise elsewhere."""

from __future__ import annotations

import difflib
import functools
import inspect
from collections.abc import Callable, Iterable, Mapping
from typing import Any

#: Characters of a value that a hint repeats.
_VALUE = 40


def near(name: str, known: Iterable[str]) -> str:
    """The names of `known` that are like `name`, as a question; empty where none is."""
    by_lower: dict[str, str] = {}
    for one in known:
        by_lower.setdefault(one.lower(), one)
    close = difflib.get_close_matches(name.lower(), by_lower, n=2, cutoff=0.6)
    return f"did you mean {' or '.join(by_lower[one] for one in close)}?" if close else ""


def suggests[**P, R](instead: Mapping[str, str] | None = None) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Have a function say what to write in place of a keyword that it does not take."""

    def wrap(function: Callable[P, R]) -> Callable[P, R]:
        parameters = inspect.signature(function).parameters.values()
        takes = {one.name for one in parameters if one.kind in (one.KEYWORD_ONLY, one.POSITIONAL_OR_KEYWORD)}
        called = function.__qualname__.removesuffix(".__init__")

        @functools.wraps(function)
        def checked(*args: P.args, **kwargs: P.kwargs) -> R:
            __tracebackhide__ = True
            if not kwargs.keys() <= takes:
                raise TypeError(_unknown(called, kwargs, takes, instead or {}))
            return function(*args, **kwargs)

        return checked

    return wrap


def suggesting[T](kind: type[T]) -> type[T]:
    """The same for what makes an object of a class."""
    made: Any = kind
    made.__init__ = suggests()(made.__init__)
    return kind


def _unknown(called: str, given: Mapping[str, object], takes: set[str], instead: Mapping[str, str]) -> str:
    name = next(one for one in given if one not in takes)
    text = f"{called}() got an unexpected keyword argument {name!r}"
    if name in instead:
        return f"{text}; write {instead[name].format(name=name, value=_short(given[name]))}"
    shown = sorted(one for one in takes if not one.startswith("_") and one != "self")
    return f"{text}; {near(name, shown) or 'it takes ' + ', '.join(shown)}"


def _short(value: object) -> str:
    text = repr(value) if isinstance(value, int | float | str | list | tuple) else "..."
    return text if len(text) <= _VALUE else "..."
