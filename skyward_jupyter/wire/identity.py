"""What is one object here stays one object there, however often it is sent, and is itself again when it comes back.

An object is known elsewhere by a number that never repeats. Classes are held weakly; anything else for as long as the
process lives, so only what a program has few of belongs here.
"""

from __future__ import annotations

import uuid
import weakref

from skyward_jupyter.wire.locks import thread_lock

_lock = thread_lock()
_class_ids: weakref.WeakKeyDictionary[type, str] = weakref.WeakKeyDictionary()
_classes: weakref.WeakValueDictionary[str, type] = weakref.WeakValueDictionary()
_object_ids: dict[int, str] = {}
_objects: dict[str, object] = {}


def class_id(kind: type) -> str:
    """Return what `kind` is known by."""
    with _lock:
        known = _class_ids.get(kind)
        if known is None:
            known = _class_ids[kind] = uuid.uuid4().hex
            _classes[known] = kind
        return known


def class_of(number: str) -> type | None:
    """Return the class known by `number`, if this process has it."""
    return _classes.get(number)


def keep_class(number: str, kind: type) -> type:
    """Know `kind` by `number`; returns the one that another thread was first with."""
    with _lock:
        kept = _classes.setdefault(number, kind)
        _class_ids.setdefault(kept, number)
        return kept


def object_id(value: object) -> str:
    """Return what `value` is known by."""
    with _lock:
        known = _object_ids.get(id(value))
        if known is None:
            known = _object_ids[id(value)] = uuid.uuid4().hex
            _objects[known] = value
        return known


def object_of(number: str) -> object | None:
    """Return the object known by `number`, if this process has it."""
    return _objects.get(number)


def keep_object(number: str, value: object) -> object:
    """Know `value` by `number`; returns the one that another thread was first with."""
    with _lock:
        kept = _objects.setdefault(number, value)
        _object_ids.setdefault(id(kept), number)
        return kept
