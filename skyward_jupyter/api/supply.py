"""The parts of jobs that are too large for a job's body: kept once here, for as long as a job needs them.

Nodes on this machine read them from the directory they share with it. To any other node they are sent once, and it
keeps them for the next job as it keeps the arguments of calls.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

from skyward_jupyter.wire.blobs import Blob, BlobMemory, BlobStore
from skyward_jupyter.wire.codec import pack
from skyward_jupyter.wire.contained import contained
from skyward_jupyter.wire.locks import thread_lock
from skyward_jupyter.wire.spill import spill_of

type Shared = Callable[[], Path | None]


class Supply:
    """The large parts of one executor's jobs. From any thread.

    Parameters
    ----------
    name
        Of the executor; what tells its files from those of others.
    shared
        Gives the directory of the pool, which its nodes read too; None where they are elsewhere.
    """

    def __init__(self, name: str, shared: Shared) -> None:
        self._folder = f"executor{name}"
        self._shared = shared
        self._lock = thread_lock()
        self._place: Path | None = None
        self._store: BlobStore | BlobMemory | None = None

    def pack(self, value: object) -> tuple[bytes, tuple[Blob, ...]]:
        """`value` packed, and the blobs that a node needs to unpack it, pinned until `release`."""
        blobs: list[Blob] = []

        def put(data: memoryview) -> Blob:
            blob = self._put(data)
            blobs.append(blob)
            return blob

        try:
            with contained("pickling"):
                return pack(value, put), tuple(blobs)
        except BaseException:
            self.release(blobs)
            raise

    def hold(self, blobs: Sequence[Blob]) -> None:
        """Another job needs blobs that are here."""
        with self._lock:
            if self._store is not None:
                for blob in blobs:
                    self._store.pin(Path(blob.name).name)

    def release(self, blobs: Sequence[Blob]) -> None:
        """The blobs of a job that has ended, or was not made, may go."""
        with self._lock:
            if self._store is not None:
                for blob in blobs:
                    self._store.unpin(Path(blob.name).name)

    def to_send(self, blobs: Sequence[Blob]) -> tuple[Blob, ...]:
        """Those that a node has to be sent, unless it has them: none where it reads them itself."""
        return tuple(blob for blob in dict.fromkeys(blobs) if "/" not in blob.name)

    def open(self, blob: Blob) -> memoryview:
        """The content of a pinned blob that is to be sent."""
        with self._lock:
            assert self._store is not None
            return self._store.open(blob)

    def close(self) -> None:
        """Remove its files."""
        with self._lock:
            if self._place is not None:
                shutil.rmtree(self._place, ignore_errors=True)
                if (spill := spill_of(self._place.parent)) is not None:
                    shutil.rmtree(spill / self._folder, ignore_errors=True)
            self._store = self._place = None

    def _put(self, data: memoryview) -> Blob:
        with self._lock:
            store = self._opened()
            blob = store.put(data)
            store.pin(blob.name)
            return blob if self._place is None else Blob(f"{self._folder}/{blob.name}", blob.size)

    def _opened(self) -> BlobStore | BlobMemory:
        """Where they are kept; another place once the pool was started anew."""
        shared = self._shared()
        place = shared / self._folder if shared is not None else None
        if self._store is None or place != self._place:
            self._store, self._place = BlobStore(place) if place is not None else BlobMemory(), place
        return self._store
