"""What slots and nodes report, made and read in tests as they make and the kernel reads it."""

from __future__ import annotations

from typing import Any

from skyward_jupyter.agent.failure import Failed
from skyward_jupyter.wire import said
from skyward_jupyter.wire.codec import unpack
from skyward_jupyter.wire.events import Kind
from skyward_jupyter.wire.parts import Open


def content(kind: Kind, body: bytes, open: Open) -> Any:
    """What an event carries, as one value."""
    match kind:
        case Kind.OUTPUT:
            return said.text_in(body)
        case Kind.DISPLAY:
            return said.display_in(body, open)
        case Kind.CLEAR:
            return said.clear_in(body)
        case Kind.DROPPED:
            return said.loss_in(body)
        case Kind.WANT:
            wanted = said.grant_in(body)
            return wanted.stream, wanted.items, wanted.size, wanted.taken
        case Kind.ERROR:
            return Failed.from_bytes(body, open)
    return unpack(body, open)
