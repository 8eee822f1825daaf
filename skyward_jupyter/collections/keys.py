"""Keys as bytes: keys that are equal, on whatever nodes they were made, give equal bytes.

Pickle does not promise that (``1 == True``, frozensets in any order, strings that happen to be one object), so a key is
taken apart into atoms and tagged tuples first, which give the same bytes wherever they come from. What compares by
identity cannot be the same key on two nodes and is refused. Read back, a key is equal to the one that was given: of
``1``, ``1.0`` and ``True``, which are one key as in a dict, it is always ``1``.
"""

from __future__ import annotations

import datetime as dt
import importlib
import io
import numbers
import pickle
import sys
import types
from collections.abc import Callable
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from typing import Any, Protocol, cast

from skyward_jupyter.errors import KeyRefused, ValueTooLarge

#: The largest key, as bytes: an index keeps some hundred of them together.
LIMIT = 4096
_ATOMS = frozenset({int, str, bytes, type(None)})
#: Classes that keys were made of here, also those that no module has under their name.
_classes: dict[tuple[str, str], type] = {}

type Term = int | str | bytes | tuple[Any, ...] | None


def encoded(key: object) -> bytes:
    """`key` as bytes.

    Raises
    ------
    TypeError
        It is not hashable, as for a dict.
    KeyRefused
        Another node could not make an equal one.
    """
    hash(key)
    file = io.BytesIO()
    pickler = pickle.Pickler(file, 5)
    pickler.fast = True  # without it, what is one object in a key and what is not would show in the bytes
    pickler.dump(_term(key))
    data = file.getvalue()
    if len(data) > LIMIT:
        raise ValueTooLarge("this key", len(data), LIMIT)
    return data


def decoded(data: bytes, makes: Makes | None = None) -> object:
    """A key equal to the one that `encoded` was given; `makes` makes what is not plain in another way.

    The bytes themselves name nothing that is looked up: only what they are made of does, through `makes`.
    """
    return _key(cast(Term, _Terms(io.BytesIO(data)).load()), makes or _REAL)


class Makes(Protocol):
    """Makes what a key has that is not plain."""

    def named(self, module: str, name: str) -> Any:
        """Return the class or function of a name."""
        ...

    def member(self, module: str, name: str, member: str) -> Any:
        """Return a member of an enum."""
        ...

    def made(self, make: Any, args: list[Any], state: Any) -> Any:
        """Return the object that `make` makes."""
        ...


class _Terms(pickle.Unpickler):
    def find_class(self, module: str, name: str, /) -> Any:
        raise pickle.UnpicklingError(f"a key does not name {module}.{name} in this way")


def _term(key: object) -> Term:
    if type(key).__module__ == "numpy":
        key = _python(key)
    if type(key) in _ATOMS:
        return cast(Term, key)
    if (number := _number(key)) is not None:
        return number
    match key:
        case str() if type(key).__eq__ is str.__eq__:
            return str.__str__(key)
        case bytes() if type(key).__eq__ is bytes.__eq__:
            return bytes(key)
        case Enum():
            return "enum", *_class(type(key)), key.name
        case tuple() if type(key).__eq__ is tuple.__eq__:
            return "tuple", *map(_term, key)
        case frozenset():
            return "frozenset", *sorted(map(_term, key), key=repr)
        case range():
            return "range", len(key), *((key[0], key.step if len(key) > 1 else 1) if key else (0, 1))
        case dt.datetime() if key.tzinfo is not None:
            return "instant", key.astimezone(dt.UTC).replace(tzinfo=None).isoformat()
        case type():
            return "class", *_class(key)
        case types.FunctionType() | types.BuiltinFunctionType():
            return _function(key)
    return _object(key)


def _python(key: Any) -> object:
    """Python's own value for one of numpy's, where it is the same key."""
    own = key.item() if hasattr(key, "item") else key
    return own if own == key and hash(own) == hash(key) else key


def _number(key: object) -> Term | None:
    """Numbers that are equal are one key, whatever their types."""
    if isinstance(key, numbers.Integral):
        return int(key)
    if isinstance(key, numbers.Complex) and not isinstance(key, numbers.Real):
        key = complex(key)
        if key.imag:
            return "complex", _real(key.real), _real(key.imag)
        key = key.real
    return _real(key) if isinstance(key, numbers.Real | Decimal) else None


def _real(number: numbers.Real | Decimal | float) -> Term:
    exact = number if isinstance(number, Decimal | Fraction) else float(number)
    if exact != exact:
        raise KeyRefused("nan is not equal to itself, so it could never be found again; use None or a string instead")
    if exact in (float("inf"), float("-inf")):
        return "inf", 1 if exact > 0 else -1
    over, under = exact.as_integer_ratio()
    return over if under == 1 else ("ratio", over, under)


def _object(key: object) -> Term:
    """Any other value, by what it would be pickled as."""
    kind = type(key)
    # The second protocol's way of taking objects apart makes no use of what they were before.
    reduced = key.__reduce_ex__(2)
    if isinstance(reduced, str):
        return "global", kind.__module__, reduced
    if kind.__eq__ is object.__eq__:
        raise KeyRefused(
            f"a value of class {kind.__qualname__} is only equal to itself, so no other node could find it again; use "
            "a value that stands for it, such as its name or number"
        )
    make, args, state, items, pairs = (*reduced, None, None, None)[:5]
    if items is not None or pairs is not None:
        raise KeyRefused(
            f"a value of class {kind.__qualname__} cannot be a key; make a tuple or a frozenset of what is in it"
        )
    return "object", _function(make), tuple(map(_part, args)), _part(state)


def _part(part: object) -> Term:
    """A part of an object; here also what is no key itself."""
    match part:
        case list():
            return "list", *map(_part, part)
        case dict():
            return "dict", *sorted(((_part(key), _part(value)) for key, value in part.items()), key=repr)
        case tuple() if type(part) is tuple:
            return "tuple", *map(_part, part)
        case bytearray() | set():
            raise KeyRefused(f"what a key is made of must not change, and this one has a {type(part).__name__} in it")
    return _term(part)


def _function(function: Callable[..., object] | type) -> Term:
    if isinstance(function, type):
        return "class", *_class(function)
    module, name = getattr(function, "__module__", None), getattr(function, "__qualname__", "<locals>")
    if not module or module == "__main__" or "<" in name:
        raise KeyRefused(f"the function {name} has no name that other nodes know it by; use its name as the key")
    return "global", module, name


def _class(kind: type) -> tuple[str, str]:
    place = kind.__module__, kind.__qualname__
    _classes[place] = kind
    return place


def _key(term: Term, makes: Makes) -> Any:
    def key(part: Any) -> Any:
        return _key(part, makes)

    match term:
        case ("tuple", *parts):
            return tuple(map(key, parts))
        case ("frozenset", *parts):
            return frozenset(map(key, parts))
        case ("list", *parts):
            return list(map(key, parts))
        case ("dict", *pairs):
            return {key(name): key(value) for name, value in pairs}
        case ("ratio", int(over), int(under)):
            return _ratio(over, under)
        case ("inf", sign):
            return sign * float("inf")
        case ("complex", real, imag):
            return complex(key(real), key(imag))
        case ("range", int(size), int(start), int(step)):
            return range(start, start + size * step, step)
        case ("instant", str(text)):
            return dt.datetime.fromisoformat(text).replace(tzinfo=dt.UTC)
        case ("enum", module, name, str(member)):
            return makes.member(module, name, member)
        case ("class" | "global", module, name):
            return makes.named(module, name)
        case ("object", make, args, state):
            return makes.made(key(make), [key(arg) for arg in args], key(state))
    return term


def _ratio(over: int, under: int) -> float | Fraction:
    """As a float where that is the same number."""
    exact = Fraction(over, under)
    try:
        near = over / under
    except OverflowError:
        return exact
    return near if Fraction(near) == exact else exact


def _made(make: Callable[..., Any], args: list[Any], state: Any) -> Any:
    made = make(*args)
    if state is None:
        return made
    if hasattr(made, "__setstate__"):
        made.__setstate__(state)
        return made
    plain, slots = state if isinstance(state, tuple) and len(state) == 2 else (state, None)
    for name, value in {**(plain or {}), **(slots or {})}.items():
        object.__setattr__(made, name, value)
    return made


def _known(module: str, name: str) -> Any:
    if (module, name) in _classes:
        return _classes[module, name]
    try:
        found: Any = sys.modules.get(module) or importlib.import_module(module)
        for part in name.split("."):
            found = getattr(found, part)
        return found
    except (ImportError, AttributeError):
        raise KeyRefused(
            f"a key of class {name} cannot be read here, where {module} has no such class; use plain values as keys, "
            "or put the class into a module"
        ) from None


class _Real:
    """Makes the objects themselves."""

    def named(self, module: str, name: str) -> Any:
        return _known(module, name)

    def member(self, module: str, name: str, member: str) -> Any:
        return _known(module, name)[member]

    def made(self, make: Any, args: list[Any], state: Any) -> Any:
        return _made(make, args, state)


_REAL = _Real()
