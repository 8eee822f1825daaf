"""Objects that pickle as a name, where the other side has no such name: what the notebook itself made and named.

Caches (`functools.cache`, `lru_cache`) go as the function they were made of, empty; generic functions
(`functools.singledispatch`) with their implementations; ``type`` aliases, `typing.NewType` and their like as what they
say; other instances of Python classes as their attributes, one object in each process. What cannot be taken apart is
refused with a sentence.
"""

from __future__ import annotations

import contextlib
import copyreg
import functools
import pickle
import sys
import types
import typing
from collections.abc import Callable
from typing import Any

from skyward_jupyter.wire import identity
from skyward_jupyter.wire.stays import Stays

_NOWHERE = ("__main__", "__mp_main__")
_SET_BY_CACHE = ("cache_parameters", "__annotate__")
_SET_BY_DISPATCH = ("register", "dispatch", "registry", "_clear_cache", "__wrapped__")

#: The objects that came from elsewhere, by what they are known by.
_copies: set[str] = set()
#: Where the values of aliases go that are being loaded.
_awaited: dict[int, list[Any]] = {}


def is_importable(value: object, name: str) -> bool:
    """Whether a module that others can import has `value` under `name`."""
    module = pickle.whichmodule(value, name)  # type: ignore[attr-defined]
    if module in _NOWHERE:
        return False
    found: object = sys.modules.get(module)
    for part in name.split("."):
        found = getattr(found, part, None)
    return found is value


def by_value(value: Any, name: str) -> tuple[Any, ...]:
    """Return how `value`, which would pickle as `name`, is made elsewhere.

    Raises
    ------
    Stays
        It cannot be taken apart.
    """
    match value:
        case functools._lru_cache_wrapper() if hasattr(value, "cache_parameters"):
            return _of_cache(value)
        case typing.TypeAliasType():
            parts = value.__name__, value.__module__, value.__type_params__
            return _alias, parts, (value.__type_params__, value.__value__), None, None, _valued
        case typing.ParamSpec() | typing.TypeVarTuple():
            return type(value), (value.__name__,)
        case types.BuiltinFunctionType() if isinstance(value.__self__, types.ModuleType):
            return getattr, (value.__self__, value.__name__)
        case _ if _is_python(type(value)):
            return _one, (identity.object_id(value), type(value)), value.__getstate__(), None, None, _settled
    raise Stays(
        value,
        f"it travels by its name alone, and no module has it as {name!r}",
        "make it inside the function that needs it, or in a module of your own",
    )


def _is_python(kind: type) -> bool:
    """Whether it is a class statement's code that says a name, and not an extension's."""
    return isinstance(kind.__reduce__, types.FunctionType) or isinstance(kind.__reduce_ex__, types.FunctionType)


def _of_cache(cache: Any) -> tuple[Any, ...]:
    of = cache.__wrapped__
    same = vars(of) if isinstance(of, type) else {}
    state = {
        name: value
        for name, value in vars(cache).items()
        if name not in _SET_BY_CACHE and (name not in same or same[name] is not value)
    }
    settings = cache.cache_parameters()
    return _cache, (of, settings["maxsize"], settings["typed"]), state


def _cache(of: Callable[..., Any], maxsize: int | None, typed: bool) -> Any:
    return functools.lru_cache(maxsize, typed)(of)


def is_generic(function: types.FunctionType) -> bool:
    """Whether `function` was made by `functools.singledispatch`."""
    return function.__code__ is _DISPATCHER


def of_generic(function: Any) -> tuple[Any, ...]:
    """Return how a generic function is made elsewhere."""
    registry = dict(function.registry)
    base = registry.pop(object)
    own = {name: value for name, value in vars(function).items() if name not in _SET_BY_DISPATCH}
    called = {name: getattr(function, name) for name in ("__name__", "__qualname__", "__module__", "__doc__")}
    return functools.singledispatch, (base,), (list(registry.items()), own, called), None, None, _registered


def _registered(function: Any, state: tuple[list[tuple[type, Any]], dict[str, Any], dict[str, Any]]) -> None:
    implementations, own, called = state
    vars(function).update(own)
    for name, value in called.items():
        setattr(function, name, value)
    for kind, implementation in implementations:
        function.register(kind, implementation)


def _alias(name: str, module: str, parameters: tuple[Any, ...]) -> Any:
    """Make a ``type`` alias whose value, which may name the alias itself, follows."""
    value: list[Any] = []
    scope = {"value": value, "__name__": module}
    exec(f"type {name}{_declared(parameters)} = value[0]", scope)
    alias = scope[name]
    _awaited[id(alias)] = value
    return alias


def _declared(parameters: tuple[Any, ...]) -> str:
    if not parameters:
        return ""
    stars = {typing.TypeVarTuple: "*", typing.ParamSpec: "**"}
    return f"[{', '.join(stars.get(type(part), '') + part.__name__ for part in parameters)}]"


def _valued(alias: Any, state: tuple[tuple[Any, ...], Any]) -> None:
    """Give an alias its value, in which the parameters become its own."""
    parameters, value = state
    own = dict(zip(parameters, alias.__type_params__, strict=True))
    with contextlib.suppress(TypeError):
        if used := getattr(value, "__parameters__", ()):
            value = value[tuple(own.get(part, part) for part in used)]
    _awaited.pop(id(alias)).append(value)


def _one(number: str, kind: type) -> object:
    known = identity.object_of(number)
    if known is not None:
        return known
    _copies.add(number)
    return identity.keep_object(number, copyreg.__newobj__(kind))  # type: ignore[attr-defined]


def _settled(value: Any, state: Any) -> None:
    """Give an object its attributes, as `pickle` does; one that is at home here has its own."""
    if identity.object_id(value) not in _copies:
        return
    attributes, slots = state if isinstance(state, tuple) and len(state) == 2 else (state, None)
    if hasattr(value, "__setstate__"):
        value.__setstate__(state)
        return
    for name, part in {**(attributes or {}), **(slots or {})}.items():
        object.__setattr__(value, name, part)


def _dispatcher() -> types.CodeType:
    made: Any = functools.singledispatch(_cache)
    code: types.CodeType = made.__code__
    return code


_DISPATCHER = _dispatcher()
