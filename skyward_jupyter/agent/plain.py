"""Unpacks what a slot sent, as far as it is plain data and this project's own: no code that a pickle names is run.

The agent reads failures and output this way. What user code made of them stays user code's: a result is handed on
as bytes.
"""

from __future__ import annotations

import io
import pickle
from collections.abc import Buffer, Iterable
from typing import Any

from skyward_jupyter.agent.failure import Failed
from skyward_jupyter.agent.stack import StackFrame
from skyward_jupyter.wire.blobs import Blob, BlobStore
from skyward_jupyter.wire.codec import unpack

_KNOWN = {(kind.__module__, kind.__qualname__): kind for kind in (Blob, Failed, StackFrame)}


class _Plain(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        try:
            return _KNOWN[module, name]
        except KeyError:
            raise pickle.UnpicklingError(f"{module}.{name} is not loaded here") from None


def unpack_plain(data: bytes, store: BlobStore) -> Any:
    """A value that a slot packed; blobs made for it are dropped. One that is not plain is an `UnpicklingError`."""

    def take(blob: Blob) -> memoryview:
        content = store.open(blob)
        store.drop(blob.name)
        return content

    return unpack(data, take, _load)


def _load(data: Buffer, buffers: Iterable[Any] = ()) -> Any:
    return _Plain(io.BytesIO(data), buffers=buffers).load()
