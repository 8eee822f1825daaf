"""What operators say that are written the wrong way round, or on what is no call."""

from __future__ import annotations

import types
from collections.abc import Generator, Iterable, Sequence
from typing import TYPE_CHECKING, Any, NoReturn

from skyward_jupyter.errors import UsageError


def name_of(function: object) -> str:
    """What a function is called, for a sentence."""
    return str(getattr(function, "__name__", "") or "the function")


class Reversed:
    """Of what is sent to a pool: refuses ``pool >> call`` and what else means ``call >> pool``."""

    __slots__ = ()

    def _text(self) -> str:
        return "call"

    def _reversed(self, operator: str) -> NoReturn:
        raise UsageError(f"the call comes first: write {self._text()} {operator} pool")

    def __rrshift__(self, other: object) -> NoReturn:
        self._reversed(">>")

    def __rmatmul__(self, other: object) -> NoReturn:
        self._reversed("@")

    def __lt__(self, other: object) -> NoReturn:
        self._reversed(">")

    def __lshift__(self, other: object) -> NoReturn:
        self._reversed(">>")

    def __or__(self, other: object) -> NoReturn:
        self._reversed(">>")


class NotRun(Reversed):
    """Of a call that has not run: refuses to be used as what it would give."""

    __slots__ = ()

    if not TYPE_CHECKING:  # a call is no awaitable

        def __await__(self) -> Generator[Any, None, Any]:
            text = self._text()
            raise UsageError(f"a call alone runs nothing: write await pool.run({text}), or {text} >> pool")

        def __getattr__(self, name: str) -> NoReturn:
            if name.startswith("_"):
                raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}", name=name)
            text = self._text()
            why = f"{text} has not run, so there is no {name!r} of its result"
            # With its name alone, as Python would suggest what is ours.
            raise AttributeError(f"{why}; run it first: result = {text} >> pool", name=name)


#: What other libraries have on a function, and how it is written here.
_OF_FUNCTION = {
    "remote": "{call} >> pool",
    "submit": "{call} > pool",
    "spawn": "{call} > pool",
    "delay": "{call} > pool",
    "apply_async": "{call} > pool",
    "map": "pool.map({name}, items)",
    "starmap": "pool.map({name}, items, items)",
    "broadcast": "{call} @ pool",
    "options": "{call}.with_timeout(seconds) >> pool",
}


class NotCalled(Reversed):
    """Of a function whose calls can be sent: refuses ``f >> pool``."""

    __slots__ = ()

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> NoReturn:
            instead = _OF_FUNCTION.get(name, "").format(call=self._text(), name=name_of(self))
            text = f"{type(self).__name__!r} object has no attribute {name!r}"
            raise AttributeError(f"{text}; write {instead}" if instead else text, name=name)

    def _not_called(self, operator: str) -> NoReturn:
        raise UsageError(f"{name_of(self)} is a function, not a call: write {self._text()} {operator} pool")

    def _text(self) -> str:
        return f"{name_of(self)}(...)"

    def __rshift__(self, other: object) -> NoReturn:
        self._not_called(">>")

    def __matmul__(self, other: object) -> NoReturn:
        self._not_called("@")

    def __gt__(self, other: object) -> NoReturn:
        self._not_called(">")

    def __and__(self, other: object) -> NoReturn:
        raise UsageError(f"{name_of(self)} is a function, not a call: write ({self._text()} & ...) >> pool")

    __rand__ = __and__


class Target:
    """Of a pool: refuses what is sent to it and is no call."""

    def __rrshift__(self, other: object) -> NoReturn:
        raise UsageError(no_call(other, ">>"))

    def __rmatmul__(self, other: object) -> NoReturn:
        raise UsageError(no_call(other, "@"))

    def __lt__(self, other: object) -> NoReturn:
        raise UsageError(no_call(other, ">"))

    def __call__(self, *args: object, **kwargs: object) -> NoReturn:
        what = f"{name_of(args[0])}(...)" if args and callable(args[0]) else "f(...)"
        raise UsageError(f"a pool is not called: write {what} >> pool, with @sky.compute on the function")


def no_call(value: object, operator: str = ">>") -> str:
    """What is wrong with sending `value`."""
    from skyward_jupyter.api.compute import ComputeFunction, PendingCompute

    if isinstance(value, ComputeFunction):
        name = name_of(value)
        return f"{name} is a function, not a call: write {name}(...) {operator} pool"
    if isinstance(value, types.GeneratorType | list | tuple | set):
        inner = next(iter(value), None) if not isinstance(value, types.GeneratorType) else None
        which = "calls" if inner is None or isinstance(inner, PendingCompute) else f"f(x) for x in the {_kind(value)}"
        return f"a {_kind(value)} is no call: write sky.gather(*{which}) >> pool"
    if isinstance(value, types.CoroutineType):
        return "a coroutine is no call: await it, or put @sky.compute on the async function and send its call"
    if callable(value):
        name = name_of(value)
        return f"{name} is no @sky.compute function: put @sky.compute on it, then write {name}(...) {operator} pool"
    return (
        f"a value ({_kind(value)}) is no call, it has been computed here: put @sky.compute on the function that gives "
        f"it, then write f(...) {operator} pool"
    )


def checked_call(pending: object, before: str, after: str, more: object = ()) -> None:
    """Refuse what is no call where one is taken, as in ``pool.submit(f, 1)``."""
    if more or not isinstance(pending, NotRun):
        _refuse(pending, before, after)


def _refuse(pending: object, before: str, after: str) -> NoReturn:
    if isinstance(pending, NotRun):
        raise UsageError(f"one call is taken, with its arguments inside: write {before}f(x){after}")
    if not callable(pending):
        raise UsageError(no_call(pending))
    name = name_of(pending)
    bare = "" if isinstance(pending, NotCalled) else ", with @sky.compute on the function"
    own = "; an executor takes functions: sky.Executor(pool).submit(f, x)" if "submit" in before else ""
    raise UsageError(f"{name} is a function, not a call: write {before}{name}(...){after}{bare}{own}")


def check_map(function: object, iterables: Sequence[object]) -> None:
    """Refuse what `map` cannot go over."""
    name = name_of(function)
    if isinstance(function, NotRun) or not callable(function):
        raise UsageError("map takes the function itself, and then its items: write pool.map(f, items)")
    if not iterables:
        raise UsageError(f"map needs items, an iterable for each parameter: write pool.map({name}, items)")
    for one in iterables:
        if not isinstance(one, Iterable) and not hasattr(one, "__getitem__"):
            raise UsageError(
                f"map goes over items, and {_kind(one)} has none: write pool.map({name}, items), "
                f"or {name}(...) >> pool for one call"
            )


def _kind(value: object) -> str:
    return type(value).__name__
