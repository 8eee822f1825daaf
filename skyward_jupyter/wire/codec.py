"""Values as bytes: cloudpickle protocol 5, large buffers out of band, lz4 where it pays.

`pack` gives one `bytes` that fits in a message. Buffers of at least `INLINE_LIMIT` bytes, and a pickle that large,
become blobs handed to the `put` the caller gives; `unpack` takes them back through `open`. Loading runs code that
the pickle names: only load what came from a pool of one's own.
"""

from __future__ import annotations

import io
import pickle
from collections.abc import Buffer, Callable
from typing import Any

import lz4.frame

from skyward_jupyter.wire.attributes import Make, with_attributes
from skyward_jupyter.wire.blobs import INLINE_LIMIT, Blob, digest

__all__ = ["blobs_of", "digest", "dumps", "loads", "pack", "unpack"]

type Put = Callable[[memoryview], Blob]
type Open = Callable[[Blob], Buffer]
type Load = Callable[..., Any]
type _Part = bytes | Blob

#: Below this many bytes compressing costs more than it saves.
COMPRESS_FROM = 16 * 1024
#: A packed value larger than this becomes a blob as a whole (bytes).
MESSAGE_LIMIT = 1024 * 1024
_SAMPLE = 64 * 1024
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
    if _is_plain(obj):
        return b"p" + pickle.dumps(obj, 5)
    buffers: list[memoryview] = []
    body = _dump(obj, buffers)
    if not buffers and len(body) < COMPRESS_FROM:
        return b"p" + body
    parts = [_part(body, put), *(_part(view, put) for view in buffers)]
    data = b"x" + pickle.dumps(parts, 5)
    if len(data) <= MESSAGE_LIMIT:
        return data
    return b"b" + pickle.dumps(put(memoryview(data)), 5)


def unpack(data: bytes, open: Open, load: Load = pickle.loads) -> object:
    """What `pack` was given. Arrays are writable. Another `load` may refuse what a pickle names."""
    view = memoryview(data)
    if data[:1] == b"p":
        return load(view[1:])
    if data[:1] == b"b":
        return unpack(bytes(open(load(view[1:]))), open, load)
    body, *buffers = (_whole(part, open) for part in load(view[1:]))
    return load(body, buffers=buffers)


def blobs_of(data: bytes) -> tuple[Blob, ...]:
    """The blobs a packed value names. One that starts with ``b"b"`` is a blob itself, which may name more."""
    if data[:1] == b"p":
        return ()
    if data[:1] == b"b":
        return (pickle.loads(memoryview(data)[1:]),)
    return tuple(part for _, part in pickle.loads(memoryview(data)[1:]) if isinstance(part, Blob))


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


def _part(data: Buffer, put: Put) -> tuple[bool, _Part]:
    view = memoryview(data)
    if view.nbytes >= INLINE_LIMIT:
        return False, put(view)
    if view.nbytes >= COMPRESS_FROM and _pays(view):
        return True, lz4.frame.compress(view)
    return False, bytes(view)


def _whole(part: tuple[bool, _Part], open: Open) -> Buffer:
    compressed, content = part
    if isinstance(content, Blob):
        return open(content)
    return lz4.frame.decompress(content, return_bytearray=True) if compressed else bytearray(content)


def _pays(view: memoryview) -> bool:
    sample = view.cast("B")[:_SAMPLE]
    return len(lz4.frame.compress(sample)) < 0.8 * sample.nbytes


def _is_plain(obj: object) -> bool:
    kind = type(obj)
    if kind in _PLAIN:
        return not isinstance(obj, str | bytes) or len(obj) < COMPRESS_FROM
    if isinstance(obj, tuple):
        return kind is tuple and len(obj) < 8 and all(map(_is_plain, obj))
    return kind is dict and not obj
