"""What pickled bytes say a value is, without running any code of it: what a live view reads.

Values of the plain types of Python come back as themselves. For an object of any other class a `Sketch` stands: it
knows the class by name only, and what the object was made of. Nothing is imported, no class or function that the bytes
name is looked up, and what they do to what is made for them ends with it.
"""

from __future__ import annotations

import collections
import datetime as dt
import io
import pathlib
import pickle
import struct
import uuid
import zoneinfo
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from itertools import islice
from typing import Any, cast

from skyward_jupyter.collections import keys

#: Libraries whose objects are shown by their name alone: what they are made of says little.
_BY_NAME = frozenset({"numpy", "pandas", "polars", "pyarrow", "scipy", "sklearn", "torch", "jax", "tensorflow"})
#: Parts of an object that are shown at most.
_SHOWN = 8
_MAKES_CLASS: dict[tuple[str, str], Callable[..., object]] = {
    ("skyward_jupyter.wire.classes", "_made"): lambda make, args, number: args[1],
    ("cloudpickle.cloudpickle", "_make_skeleton_class"): lambda kind, name, *rest: name,
    ("cloudpickle.cloudpickle", "_make_skeleton_enum"): lambda bases, name, *rest: name,
    ("cloudpickle.cloudpickle", "_builtin_type"): lambda name: name,
}
#: What objects of libraries are called that a function of theirs makes.
_MADE_BY = {"_frombuffer": "ndarray", "_reconstruct": "ndarray", "_rebuild_tensor_v2": "Tensor"}
_NUMBERS = {"b1": "?", "i1": "b", "u1": "B", "i2": "h", "u2": "H", "i4": "i", "u4": "I", "i8": "q", "u8": "Q"} | {
    "f2": "e",
    "f4": "f",
    "f8": "d",
}


class _Kind(type):
    """The class of classes that stand for others: bytes cannot change them."""

    module: str
    name: str

    def __repr__(cls) -> str:
        return f"{cls.module}.{cls.name}" if cls.module else cls.name

    def __setattr__(cls, name: str, value: object) -> None:
        raise TypeError("it is not changed by what is decoded")


@dataclass(frozen=True, slots=True)
class _Pair:
    """A key with its value."""

    key: Any
    value: Any


class Sketch(metaclass=_Kind):
    """Stands for an object.

    Attributes
    ----------
    module, name
        Of its class, or of the function that would have made it.
    args, named, state, parts
        What it is made of.
    word
        What it is called, where that says all.
    """

    module = ""
    name = ""
    __slots__ = ("args", "named", "parts", "state", "word")
    args: tuple[Any, ...]
    named: dict[str, Any]
    parts: list[Any]
    state: Any
    word: str

    def __new__(cls, *args: Any, **named: Any) -> Any:
        made = object.__new__(cls)
        made.args, made.named, made.state, made.parts, made.word = args, named, None, [], ""
        return made

    def __init__(self, *args: Any, **named: Any) -> None:
        pass

    def __setstate__(self, state: Any) -> None:
        self.state = state
        if (self.module, self.name) == ("uuid", "UUID") and isinstance(state, dict):
            self.word = f"UUID('{uuid.UUID(int=state['int'])}')"

    def __setitem__(self, key: Any, value: Any) -> None:
        self.parts.append(_Pair(key, value))

    def append(self, part: Any) -> None:
        """Take an item, as of a list."""
        self.parts.append(part)

    def extend(self, parts: Iterable[Any]) -> None:
        """Take items, as of a list."""
        self.parts.extend(parts)

    add, update = append, extend

    def text(self, show: Callable[[Any], str]) -> str:
        """Return what it is; `show` gives the text of a part."""
        library = self.module.partition(".")[0]
        if self.word or self.name == "_make_function":
            return self.word or "a function"
        if library in _BY_NAME:
            return f"{library}.{_MADE_BY.get(self.name, self.name)}"
        shown = list(islice(self._shown(show), _SHOWN + 1))
        return f"{self.name}({', '.join([*shown[:_SHOWN], *(['...'] if len(shown) > _SHOWN else [])])})"

    def _shown(self, show: Callable[[Any], str]) -> Iterator[str]:
        yield from map(show, self.args)
        for name, part in self.named.items():
            yield f"{name}={show(part)}"
        for state in self.state if type(self.state) is tuple and len(self.state) == 2 else (self.state,):
            if isinstance(state, dict):
                yield from (f"{name}={show(part)}" for name, part in state.items())
            elif isinstance(state, list):
                yield from map(show, state)
            elif state is not None:
                yield show(state)
        for part in self.parts:
            yield f"{show(part.key)}: {show(part.value)}" if isinstance(part, _Pair) else show(part)


def kind_named(module: str, name: str) -> type[Sketch]:
    """Return what stands for a class, or for a function that makes an object."""
    namespace = {"__slots__": (), "module": module, "name": name.rpartition(".")[2] or name}
    return cast(type[Sketch], _Kind(name or "?", (Sketch,), namespace))


def kind_of(value: object) -> str:
    """Return the name of the class of what stands for an object; nothing for a plain value."""
    if isinstance(value, Sketch):
        return _MADE_BY.get(value.name, value.name)
    return "class or function" if isinstance(value, _Kind | _Maker) else ""


def loaded(data: bytes) -> Any:
    """Return the value that is pickled in `data`, with a `Sketch` where it is not plain.

    Raises
    ------
    Exception
        It is no pickle, or not one that a class like those it names would make.
    """
    return _Reader(io.BytesIO(data)).load()


def loaded_key(data: bytes) -> Any:
    """Return the key of a collection that is encoded in `data`, with a `Sketch` where it is not plain."""
    return keys.decoded(data, _Sketches())


class _Sketches:
    """Makes what stands for the objects in a key; see `skyward_jupyter.collections.keys.Makes`."""

    def named(self, module: str, name: str) -> Any:
        """Return what stands for a class or a function, or makes plain values as they are."""
        if (module, name) in _PLAIN:
            return _Maker(name, _PLAIN[module, name])
        return kind_named(module, name)

    def member(self, module: str, name: str, member: str) -> Any:
        """Return what stands for a member of an enum."""
        stands = kind_named(module, name)()
        stands.word = f"{stands.name}.{member}"
        return stands

    def made(self, make: Any, args: list[Any], state: Any) -> Any:
        """Return what stands for the object; one that is made of its class is shown by that."""
        if getattr(make, "module", "") == "copyreg" and args:
            make, *args = args
        made = make(*args)
        if state is not None:
            made.__setstate__(state)
        return made


class _Maker:
    """Stands for a class of Python whose objects are made; nothing the bytes do to it reaches the class."""

    __slots__ = ("_make", "_name")

    def __init__(self, name: str, make: Callable[..., Any]) -> None:
        self._name = name
        self._make = make

    def __call__(self, *args: Any) -> Any:
        return self._make(*args)

    def __setstate__(self, state: object) -> None:
        raise TypeError("it is not changed by what is decoded")

    def __repr__(self) -> str:
        return f"<class {self._name!r}>"


class _Reader(pickle.Unpickler):
    def find_class(self, module: str, name: str, /) -> Any:
        if (module, name) in _PLAIN:
            return _Maker(name, _PLAIN[module, name])
        if (module, name) in _MAKES_CLASS:
            named = _MAKES_CLASS[module, name]
            return _Maker(name, lambda *args: kind_named("", str(named(*args))))
        if module.startswith("numpy.") and name == "scalar":
            return _Maker(name, _number)
        return kind_named(module, name)


def _fraction(over: int, under: int) -> Fraction:
    if type(over) is not int or type(under) is not int:
        raise TypeError("a fraction is made of two numbers")
    return Fraction(over, under)


def _gathered(make: Callable[..., Any]) -> Callable[..., Any]:
    """Return what makes a collection out of another that is there: a range could go on for ever."""

    def made(*args: Any) -> Any:
        if any(type(arg) is range for arg in args):
            raise TypeError("it is made of more than it has")
        return make(*args)

    return made


def _attribute(owner: object, name: str) -> Any:
    """Return what stands for an attribute of a class, such as a method that makes its objects."""
    if not isinstance(owner, _Kind):
        raise TypeError("it names an attribute of an object")
    if (owner.module, owner.name, name) == ("zoneinfo", "ZoneInfo", "_unpickle"):
        return _Maker(name, _zone)
    return kind_named(owner.module, owner.name)


def _zone(key: str, cached: object) -> zoneinfo.ZoneInfo:
    return zoneinfo.ZoneInfo(key)


def _default(factory: object, *_: object) -> dict[Any, Any]:
    return {}


def _number(kind: Sketch, data: bytes) -> Any:
    """Return a number of numpy's as one of Python's."""
    code = kind.args[0]
    order = kind.state[1] if kind.state else "<"
    (number,) = struct.unpack(("<" if order == "|" else order) + _NUMBERS[code], data)
    return number


_PLAIN: dict[tuple[str, str], Callable[..., Any]] = {
    ("builtins", "complex"): complex,
    ("builtins", "range"): range,
    ("builtins", "slice"): slice,
    ("builtins", "set"): _gathered(set),
    ("builtins", "frozenset"): _gathered(frozenset),
    ("collections", "Counter"): _gathered(collections.Counter),
    ("collections", "OrderedDict"): _gathered(collections.OrderedDict),
    ("collections", "defaultdict"): _default,
    ("collections", "deque"): _gathered(collections.deque),
    ("datetime", "date"): dt.date,
    ("datetime", "datetime"): dt.datetime,
    ("datetime", "time"): dt.time,
    ("datetime", "timedelta"): dt.timedelta,
    ("datetime", "timezone"): dt.timezone,
    ("decimal", "Decimal"): Decimal,
    ("fractions", "Fraction"): _fraction,
    ("pathlib", "PosixPath"): pathlib.Path,
    ("pathlib", "PurePosixPath"): pathlib.PurePosixPath,
    ("pathlib._local", "PosixPath"): pathlib.Path,
    ("pathlib._local", "PurePosixPath"): pathlib.PurePosixPath,
    ("builtins", "getattr"): _attribute,
}
