"""Byte strings side by side as one that fits in a message; large ones become blobs, and lz4 is used where it pays.

Reading runs no code and trusts nothing: what was not made by `sealed` raises `Malformed`, and a blob has a name that
only a blob can have.
"""

from __future__ import annotations

import contextlib
import struct
from collections.abc import Buffer, Callable, Iterator, Sequence

import lz4.frame

from skyward_jupyter.wire.blobs import INLINE_LIMIT, Blob, is_name

type Put = Callable[[memoryview], Blob]
type Open = Callable[[Blob], Buffer]

#: Below this many bytes compressing costs more than it saves.
COMPRESS_FROM = 16 * 1024
#: What would be larger becomes a blob as a whole (bytes).
MESSAGE_LIMIT = 1024 * 1024
_SAMPLE = 64 * 1024
_ONE, _SEVERAL, _WHOLE = b"p", b"x", b"b"
_INLINE, _COMPRESSED, _APART = 0, 1, 2
#: How a part is kept, and the length of what follows.
_PART = struct.Struct("<BQ")
_SIZE = struct.Struct("<Q")

type _Part = tuple[int, memoryview]


class Malformed(ValueError):
    """Bytes that no node of this version makes."""


def sealed(parts: Sequence[Buffer], put: Put | None) -> bytes:
    """Return `parts` as one byte string that fits in a message; large ones go to `put`, or stay where there is none."""
    if len(parts) == 1 and memoryview(parts[0]).nbytes < COMPRESS_FROM:
        return _ONE + bytes(parts[0])
    data = _SEVERAL + b"".join(piece for part in parts for piece in _kept(memoryview(part), put))
    if put is None or len(data) <= MESSAGE_LIMIT:
        return data
    return _WHOLE + _named(put(memoryview(data)))


def opened(data: bytes, open: Open) -> list[Buffer]:
    """Return what `sealed` was given; parts that stood beside others are writable.

    Raises
    ------
    Malformed
        It was not made by `sealed`.
    """
    match data[:1]:
        case b"p":
            return [memoryview(data)[1:]]
        case b"b":
            data = bytes(open(_blob(memoryview(data)[1:])))
    if data[:1] != _SEVERAL:
        raise Malformed("it is not in any form that a node sends")
    parts = [_content(part, open) for part in _parts(data)]
    if not parts:
        raise Malformed("it has no part")
    return parts


def blobs_of(data: bytes) -> tuple[Blob, ...]:
    """Return the blobs that sealed bytes name; none where they are malformed, as whoever opens them finds out.

    Bytes that start with ``b"b"`` are a blob themselves, which may name more.
    """
    try:
        match data[:1]:
            case b"b":
                return (_blob(memoryview(data)[1:]),)
            case b"x":
                return tuple(_blob(content) for how, content in _parts(data) if how == _APART)
    except Malformed:
        pass
    return ()


def every_blob_of(data: bytes, open: Open) -> list[Blob]:
    """Return `blobs_of` with those that a blob among them names, if that one is there."""
    found = list(blobs_of(data))
    if data[:1] == _WHOLE:
        with contextlib.suppress(OSError, Malformed):
            found += [inner for one in tuple(found) for inner in blobs_of(bytes(open(one)))]
    return found


def pays(view: memoryview) -> bool:
    """Return whether compressing is worth it."""
    sample = view.cast("B")[:_SAMPLE]
    return len(lz4.frame.compress(sample)) < 0.8 * sample.nbytes


def _kept(view: memoryview, put: Put | None) -> Iterator[Buffer]:
    how, content = _INLINE, view.cast("B") if view.nbytes else memoryview(b"")
    if view.nbytes >= INLINE_LIMIT and put is not None:
        how, content = _APART, memoryview(_named(put(view)))
    elif view.nbytes >= COMPRESS_FROM and pays(view):
        how, content = _COMPRESSED, memoryview(lz4.frame.compress(view))
    yield _PART.pack(how, content.nbytes)
    yield content


def _parts(data: bytes) -> Iterator[_Part]:
    view, at = memoryview(data), 1
    while at < len(view):
        try:
            how, length = _PART.unpack_from(view, at)
        except struct.error:
            raise Malformed("it ends in the middle of a part") from None
        start, at = at + _PART.size, at + _PART.size + length
        if at > len(view) or how > _APART:
            raise Malformed("it has a part that is cut short, or kept in no way that is known")
        yield how, view[start:at]


def _content(part: _Part, open: Open) -> Buffer:
    how, content = part
    if how == _APART:
        return open(_blob(content))
    if how == _INLINE:
        return bytearray(content)
    try:
        return bytearray(lz4.frame.decompress(content, return_bytearray=True))
    except RuntimeError as error:
        raise Malformed(f"it has a part that cannot be decompressed: {error}") from None


def _named(blob: Blob) -> bytes:
    return _SIZE.pack(blob.size) + blob.name.encode()


def _blob(content: memoryview) -> Blob:
    try:
        (size,) = _SIZE.unpack_from(content)
        name = str(content[_SIZE.size :], "ascii")
    except (struct.error, UnicodeDecodeError):
        raise Malformed("it names a blob in no way that is known") from None
    if not is_name(name):
        raise Malformed(f"{name[:100]!r} is not the name of a blob")
    return Blob(name, size)
