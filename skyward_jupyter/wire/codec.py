"""Values as bytes: cloudpickle protocol 5, large buffers out of band, lz4 where it pays.

`pack` gives one `bytes` that fits in a message, as `skyward_jupyter.wire.parts` makes it: large parts become blobs
handed to the `put` the caller gives; `unpack` takes them back through `open`. Loading runs code that the pickle names:
only arguments, results, errors and values of collections are pickled, and only those of one's own pool are loaded.
"""

from __future__ import annotations

import io
import pickle
from collections.abc import Buffer, Callable
from typing import Any

from skyward_jupyter.wire.attributes import Make, with_attributes
from skyward_jupyter.wire.blobs import digest
from skyward_jupyter.wire.parts import COMPRESS_FROM, Open, Put, blobs_of, opened, sealed

__all__ = ["blobs_of", "digest", "dumped", "dumps", "loads", "pack", "sealed", "unpack"]

type Load = Callable[..., Any]

_PLAIN = frozenset({int, float, bool, str, bytes, type(None), complex})


def dumps(obj: object) -> bytes:
    """`obj` as self-contained bytes."""
    return _dump(obj, None)


def loads(data: Buffer) -> object:
    """What `dumps` was given."""
    return pickle.loads(data)


def pack(obj: object, put: Put) -> bytes:
    """`obj` as bytes small enough for a message; large parts go to `put`.

    Raises whatever pickling raises; `skyward_jupyter.wire.blame.explain` says which part of a value it was.
    """
    return sealed(dumped(obj), put)


def dumped(obj: object) -> tuple[Buffer, ...]:
    """`obj` pickled, and its large buffers as they are: what `pack` seals. Touches nothing that others use."""
    if _is_plain(obj):
        return (pickle.dumps(obj, 5),)
    buffers: list[memoryview] = []
    body = _dump(obj, buffers)
    return (body, *buffers)


def unpack(data: bytes, open: Open, load: Load = pickle.loads) -> object:
    """What `pack` was given. Arrays are writable. Another `load` may refuse what a pickle names."""
    if data[:1] == b"p":
        return load(memoryview(data)[1:])
    body, *buffers = opened(data, open)
    return load(body, buffers=buffers)


def _dump(obj: object, buffers: list[memoryview] | None) -> bytes:
    """Return `obj` pickled, with its buffers apart where there is a list for them."""

    def aside(buffer: pickle.PickleBuffer) -> bool:
        assert buffers is not None
        try:
            buffers.append(buffer.raw())
        except BufferError:
            return True
        return False

    def dump(pickler: Make) -> bytes:
        file = io.BytesIO()
        if buffers is not None:
            buffers.clear()
        pickler(file, buffer_callback=None if buffers is None else aside).dump(obj)
        return file.getvalue()

    return with_attributes(dump)


def _is_plain(obj: object) -> bool:
    kind = type(obj)
    if kind in _PLAIN:
        return not isinstance(obj, str | bytes) or len(obj) < COMPRESS_FROM
    if isinstance(obj, tuple):
        return kind is tuple and len(obj) < 8 and all(map(_is_plain, obj))
    return kind is dict and not obj
