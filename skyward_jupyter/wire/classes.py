"""Classes that travel by value: made once in each process, with their slots, and never changed where they come from.

cloudpickle says what a class consists of. Beyond that, a class here keeps its ``__slots__``, and one that comes back
to the process it was defined in is the class that is there, as it is there: what a node did to its copy stays there.
A copy follows the class it was made from: whenever that is sent, the copy becomes like it again.
"""

from __future__ import annotations

import contextlib
import types
import typing
import weakref
from collections.abc import Callable, Iterator
from typing import Any

from skyward_jupyter.wire import identity

#: The classes that came from elsewhere, and what they had beyond what they were given when they were made.
_copies: weakref.WeakKeyDictionary[type, frozenset[str] | None] = weakref.WeakKeyDictionary()


def with_slots(kind: type, reduced: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return how `kind` is made elsewhere, given how cloudpickle would make it."""
    make, args, (held, more), *_, fill = reduced
    if "__slots__" in kind.__dict__ and typing.NamedTuple not in getattr(kind, "__orig_bases__", ()):
        args = tuple({**arg, "__slots__": kind.__slots__} if type(arg) is dict else arg for arg in args)  # type: ignore[attr-defined]
        made = set(_made_by_slots(kind))
        held = {name: value for name, value in held.items() if name not in made}
    return _made, (make, args, identity.class_id(kind)), (fill, (held, more)), None, None, _filled


def _made_by_slots(kind: type) -> Iterator[str]:
    yield "__slots__"
    for name, value in kind.__dict__.items():
        if isinstance(value, types.MemberDescriptorType) and value.__objclass__ is kind:
            yield name


def _made(make: Callable[..., type], args: tuple[Any, ...], number: str) -> type:
    known = identity.class_of(number)
    if known is not None:
        return known
    kept = identity.keep_class(number, make(*args))
    _copies.setdefault(kept, None)
    return kept


def _filled(kind: type, state: tuple[Callable[[type, Any], object], tuple[dict[str, Any], Any]]) -> None:
    if kind not in _copies:
        return
    fill, parts = state
    fill(kind, parts)
    more = {name for name in kind.__dict__ if name not in parts[0] and not name.startswith("__")}
    made = _copies[kind]
    if made is None:
        _copies[kind] = frozenset(more)
        return
    for name in more - made:
        with contextlib.suppress(AttributeError):  # another thread was first
            delattr(kind, name)
