"""Keys and values of collections as a line of text, and in an order.

Reading them costs little and does no harm: what is large is not decoded, no code of theirs runs and nothing is
imported (see `skyward_jupyter.api.viewing.sketch`), and what cannot be decoded is shown as such.
"""

from __future__ import annotations

import datetime as dt
import math
import reprlib
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from itertools import islice
from typing import Any

from skyward_jupyter.api.viewing import sketch
from skyward_jupyter.api.viewing.sketch import Sketch

#: The most bytes of a value that are decoded to be shown.
DECODED = 256 * 1024
#: The most characters of one that are shown.
SHOWN = 160
_COMPARED = 200
_PLAIN = 10**20
_DIGITS = 1000

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


def of_key(data: bytes) -> Short:
    """An encoded key, or member of a set."""
    try:
        return of(sketch.loaded_key(data))
    except Exception as error:  # whatever it is made of
        return Short(_reason(error), "", (98, data), odd=True)


def of_value(data: bytes) -> Short:
    """An encoded value."""
    if len(data) > DECODED:
        return Short(f"{_size(len(data))}, too large to be shown", "", (98, len(data)), odd=True)
    try:
        return of(sketch.loaded(data))
    except Exception as error:  # whatever it is made of
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
    name = sketch.kind_of(value) or type(value).__qualname__
    try:
        order = _order(value)
    except Exception:
        order = None
    return Short(text, name, order or (50, name, text))


def _reason(error: BaseException) -> str:
    said = " ".join(str(error).split())[:80]
    return f"cannot be decoded here ({type(error).__name__}{': ' if said else ''}{said})"


def _size(count: int) -> str:
    return f"{count / 2**20:.1f} MB" if count >= 2**20 else f"{count // 1024} kB"


def _order(value: object, depth: int = 0) -> Order | None:
    """What is alike is compared as Python does; kinds come one after another."""
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
        near = value.is_finite() and abs(value.adjusted()) < _DIGITS
        return Fraction(value) if near else float(value)
    return value


class _Brief(reprlib.Repr):
    """Python's own, but for dicts, which it would put in another order, and for what stands for an object."""

    def repr1(self, x: Any, level: int) -> str:
        if isinstance(x, Sketch):
            return x.text(lambda part: self.repr1(part, level - 1)) if level > 0 else f"{x.name}(...)"
        return super().repr1(x, level)

    def repr_dict(self, x: dict[Any, Any], level: int) -> str:
        if not x or level <= 0:
            return "{...}" if x else "{}"
        pairs = islice(x.items(), self.maxdict)
        parts = [f"{self.repr1(key, level - 1)}: {self.repr1(value, level - 1)}" for key, value in pairs]
        return f"{{{', '.join(parts)}{', ...' if len(x) > self.maxdict else ''}}}"


_brief = _Brief(
    maxlevel=4, maxdict=6, maxlist=8, maxtuple=8, maxset=8, maxfrozenset=8, maxstring=SHOWN, maxlong=60, maxother=SHOWN
)
