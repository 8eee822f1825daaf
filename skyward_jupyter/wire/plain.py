"""What JSON can say, and bytes, as bytes: for whatever is read without trust in who wrote it.

Reading makes dicts, lists, strings, numbers, booleans, None and bytes, and runs no code. A tuple comes back as a list.
"""

from __future__ import annotations

import datetime as dt
import json
import numbers
from collections.abc import Buffer, Iterable, Mapping
from typing import Any

from skyward_jupyter.wire.parts import Malformed, Open, Put, opened, sealed

#: Stands, as the only key of an object, where bytes are; its value says which.
_BYTES = "\0bytes"


def packed(value: object, put: Put | None) -> bytes:
    """Return `value` as bytes that fit in a message; large parts go to `put`, or stay where there is none.

    What JSON has no form for is sent as Jupyter would: numbers of other libraries as numbers, times in ISO format,
    what can be iterated as a list; anything else as its text.

    Raises
    ------
    TypeError, ValueError, RecursionError
        A key of a dict is no string or number, or something contains itself.
    """
    apart: list[Buffer] = []

    def other(part: object) -> object:
        if isinstance(part, bytes | bytearray | memoryview):
            apart.append(bytes(part))
            return {_BYTES: len(apart) - 1}
        return _like(part)

    text = json.dumps(value, default=other, separators=(",", ":")).encode("ascii")
    return sealed((text, *apart), put)


def unpacked(data: bytes, open: Open) -> Any:
    """Return what `packed` was given.

    Raises
    ------
    Malformed
        It was not made by `packed`.
    """
    text, *apart = opened(data, open)

    def placed(found: dict[str, Any]) -> Any:
        if found.keys() != {_BYTES}:
            return found
        return bytes(apart[found[_BYTES]])

    try:
        return json.loads(bytes(text), object_hook=placed if apart else None)
    except (ValueError, LookupError, TypeError, RecursionError) as error:
        raise Malformed(f"it is not JSON of a node: {error}") from None


def _like(part: object) -> object:
    if callable(own := getattr(part, "tolist", None)):  # of numpy
        return own()
    match part:
        case numbers.Integral():
            return int(part)
        case numbers.Real():
            return float(part)
        case dt.date() | dt.time():
            return part.isoformat()
        case Mapping():
            return dict(part)
        case Iterable():
            return list(part)
    return str(part)
