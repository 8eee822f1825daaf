"""Keys and values of collections as a line of text, and in an order.

Reading them costs little and does no harm: what is large is not decoded, nothing is imported for it, and what cannot
be decoded or has no `repr` is shown as such.
"""

from __future__ import annotations

import datetime as dt
import io
import math
import pickle
import reprlib
import sys
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from itertools import islice
from typing import Any

from skyward_jupyter.collections import keys

#: The most bytes of a value that are decoded to be shown.
DECODED = 256 * 1024
#: The most characters of one that are shown.
SHOWN = 160
_COMPARED = 200
_PLAIN = 10**20

type Order = tuple[Any, ...]

#: Where what is not known yet comes: after everything else.
LAST: Order = (99,)


@dataclass(frozen=True, slots=True)
class Short:
    """A value as it is shown.

    Attributes
    ----------
    text, type
        What it is, in one line, and the name of its type.
    order
        Where it belongs among others; all of these can be compared.
    odd
        Whether `text` says why the value cannot be shown.
    """

    text: str
    type: str
    order: Order = LAST
    odd: bool = False


class _Absent(Exception):
    """A module that is not imported here."""


def of_key(data: bytes) -> Short:
    """An encoded key, or member of a set."""
    try:
        return of(keys.decoded(data))
    except Exception as error:
        return Short(_reason(error), "", (98, data), odd=True)


def of_value(data: bytes) -> Short:
    """An encoded value."""
    if len(data) > DECODED:
        return Short(f"{_size(len(data))}, too large to be shown", "", (98, len(data)), odd=True)
    try:
        return of(_Careful(io.BytesIO(data)).load())
    except BaseException as error:  # whatever code of the value raised
        return Short(_reason(error), "", (98, len(data)), odd=True)


def of(value: object) -> Short:
    """A value itself."""
    if type(value) is str and len(value) < SHOWN // 2:
        return Short(repr(value), "str", (2, value))
    if type(value) is int and -_PLAIN < value < _PLAIN:
        return Short(repr(value), "int", (1, value))
    text = _brief.repr(value)[: 4 * SHOWN]
    text = " ".join(text.split())
    text = text if len(text) <= SHOWN else f"{text[: SHOWN - 1]}…"
    name = type(value).__qualname__
    try:
        order = _order(value)
    except Exception:
        order = None
    return Short(text, name, order or (50, name, text))


class _Careful(pickle.Unpickler):
    """Decodes without importing anything: a look at a value must not take the seconds that some modules need."""

    def find_class(self, module: str, name: str, /) -> Any:
        _imported(module, name)
        found = super().find_class(module, name)
        return _subimport if name == "subimport" and module.startswith("cloudpickle") else found


def _imported(module: str, name: str) -> None:
    if module not in sys.modules:
        raise _Absent(f"{module}.{name} is not imported here")


def _subimport(module: str) -> Any:
    _imported(module, "*")
    return sys.modules[module]


def _reason(error: BaseException) -> str:
    if isinstance(error, _Absent):
        return str(error)
    said = " ".join(str(error).split())[:80]
    return f"cannot be decoded here ({type(error).__name__}{': ' if said else ''}{said})"


def _size(count: int) -> str:
    return f"{count / 2**20:.1f} MB" if count >= 2**20 else f"{count // 1024} kB"


def _order(value: object, depth: int = 0) -> Order | None:
    """What is alike is compared as Python does; kinds come one after another."""
    if hasattr(value, "item") and type(value).__module__ == "numpy" and getattr(value, "ndim", 1) == 0:
        value = value.item()
    match value:
        case None:
            return (0,)
        case int():
            return 1, int(value)
        case float() | Fraction() | Decimal():
            return None if math.isnan(value) else (1, _real(value))
        case str():
            return 2, str.__str__(value)[:_COMPARED]
        case bytes():
            return 3, bytes(value[:_COMPARED])
        case dt.date():
            return 4, value.isoformat()
        case tuple() | list() if depth < 3:
            parts = [_order(part, depth + 1) or (50, type(part).__qualname__, _brief.repr(part)) for part in value[:8]]
            return 5, tuple(parts)
    return None


def _real(value: float | Fraction | Decimal) -> float | Fraction:
    """A Decimal cannot be compared with a Fraction."""
    if isinstance(value, Decimal):
        return Fraction(value) if value.is_finite() else float(value)
    return value


class _Brief(reprlib.Repr):
    """Python's own, but for dicts, which it would put in another order."""

    def repr_dict(self, x: dict[Any, Any], level: int) -> str:
        if not x or level <= 0:
            return "{...}" if x else "{}"
        pairs = islice(x.items(), self.maxdict)
        parts = [f"{self.repr1(key, level - 1)}: {self.repr1(value, level - 1)}" for key, value in pairs]
        return f"{{{', '.join(parts)}{', ...' if len(x) > self.maxdict else ''}}}"


_brief = _Brief(
    maxlevel=4, maxdict=6, maxlist=8, maxtuple=8, maxset=8, maxfrozenset=8, maxstring=SHOWN, maxlong=60, maxother=SHOWN
)
