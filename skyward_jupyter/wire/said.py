"""What a task says while it runs, as bytes: text, displays, that they were cleared, what was dropped, what it wants.

All of it is plain data. Reading runs no code, checks what there is, and raises `Malformed` for anything else: who
reads it need not trust who wrote it.
"""

from __future__ import annotations

import struct
from typing import Any

import lz4.frame

from skyward_jupyter.wire import plain
from skyward_jupyter.wire.feeds import Grant
from skyward_jupyter.wire.parts import COMPRESS_FROM, Malformed, Open, Put, pays

_TAGS = {"stdout": b"o", "stderr": b"e"}
_STREAMS = {ord(tag): (stream, False) for stream, tag in _TAGS.items()} | {
    ord(tag.upper()): (stream, True) for stream, tag in _TAGS.items()
}
#: The most bytes that compressed text may have: a piece of text has far less.
_LONGEST = 4 * 2**20
_GRANT = struct.Struct("<IQQQ")
_LOSS = struct.Struct("<QQ")
_KEPT = {b"\0": False, b"\1": True}

type Bundle = tuple[dict[str, Any], dict[str, Any], dict[str, Any], bool]


def packed_text(stream: str, text: str) -> bytes:
    """Return text of ``"stdout"`` or ``"stderr"`` as bytes. Lone surrogates stay what they are."""
    body = text.encode("utf-8", "surrogatepass")
    if len(body) >= COMPRESS_FROM and pays(memoryview(body)):
        return _TAGS[stream].upper() + bytes(lz4.frame.compress(body))
    return _TAGS[stream] + body


def text_in(body: bytes) -> tuple[str, str]:
    """Return the stream and the text."""
    stream, text = _encoded(body)
    try:
        return stream, text.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        raise Malformed("its text is not UTF-8") from None


def size_of_text(body: bytes) -> int:
    """Return how many bytes the text has."""
    return len(_encoded(body)[1])


def _encoded(body: bytes) -> tuple[str, bytes]:
    stream, compressed = _STREAMS.get(body[0] if body else 0, ("", False))
    if not stream:
        raise Malformed("it is text of no stream that is known")
    if not compressed:
        return stream, body[1:]
    reader = lz4.frame.LZ4FrameDecompressor()
    try:
        text = bytes(reader.decompress(memoryview(body)[1:], max_length=_LONGEST))
    except RuntimeError as error:
        raise Malformed(f"its text cannot be decompressed: {error}") from None
    if not reader.eof:
        raise Malformed("its text is cut short, or longer than text of a node")
    return stream, text


def packed_display(
    data: dict[str, Any], metadata: dict[str, Any], transient: dict[str, Any], update: bool, put: Put | None
) -> bytes:
    """Return a MIME bundle as bytes. One that JSON has no form for becomes its text, which says so."""
    try:
        return plain.packed([data, metadata, transient, update], put)
    except (TypeError, ValueError, RecursionError) as error:
        text = f"{data.get('text/plain', '')} (a display that cannot be sent as JSON: {error})".strip()
        return plain.packed([{"text/plain": text}, {}, {}, False], put)


def display_in(body: bytes, open: Open) -> Bundle:
    """Return the data, metadata and transient data of a MIME bundle, and whether it updates one that is shown."""
    match plain.unpacked(body, open):
        case [dict() as data, dict() as metadata, dict() as transient, bool() as update]:
            return data, metadata, transient, update
    raise Malformed("it is not a display: data, metadata, transient data and whether it is an update")


def packed_clear(wait: bool) -> bytes:
    """Return as bytes that what a task has shown is cleared; with `wait`, once something new is shown."""
    return b"\1" if wait else b"\0"


def clear_in(body: bytes) -> bool:
    """Return whether it waits for something new."""
    try:
        return _KEPT[body]
    except KeyError:
        raise Malformed("it says neither that it waits nor that it does not") from None


def packed_loss(size: int, displays: int) -> bytes:
    """Return as bytes how much output was dropped: bytes of text, and displays."""
    return _LOSS.pack(size, displays)


def loss_in(body: bytes) -> tuple[int, int]:
    """Return the bytes of text and the displays that were dropped."""
    size, displays = _read(_LOSS, body)
    return size, displays


def packed_grant(grant: Grant) -> bytes:
    """Return as bytes what a task wants of an input stream."""
    return _GRANT.pack(grant.stream, grant.items, grant.size, grant.taken)


def grant_in(body: bytes) -> Grant:
    """Return what a task wants of an input stream."""
    return Grant(*_read(_GRANT, body))


def _read(shape: struct.Struct, body: bytes) -> tuple[int, ...]:
    try:
        return shape.unpack(body)
    except struct.error:
        raise Malformed(f"it has {len(body)} bytes instead of {shape.size}") from None
