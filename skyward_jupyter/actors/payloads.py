"""Arguments on their way to a node, results on their way back: inline, or as blobs.

On this machine a blob is a file both sides map. For any other node it crosses the cluster in pieces, several in
flight, and a node that has it is not sent it again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Buffer, Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any
from weakref import WeakValueDictionary

import casty

from skyward_jupyter.errors import NoRoom
from skyward_jupyter.tasks import side_by_side
from skyward_jupyter.wire.blobs import Blob, BlobMemory, BlobStore
from skyward_jupyter.wire.codec import blobs_of, dumped, pack, sealed
from skyward_jupyter.wire.contained import contained
from skyward_jupyter.wire.messages import DropBlob, FetchPiece, HasBlobs, PutPiece
from skyward_jupyter.wire.parts import every_blob_of
from skyward_jupyter.wire.remnants import remove_results

#: One piece of a blob (bytes), and how many are in flight.
PIECE = 1024 * 1024
IN_FLIGHT = 8
#: Pause before a transfer that was broken off begins anew (seconds).
_RETRY = 0.1

type Worker = Callable[[int], casty.Ref[Any]]


class Payloads:
    """Packs and unpacks for the nodes of one pool.

    Parameters
    ----------
    shared
        The directory that the nodes read too; None where they are elsewhere.

    Attributes
    ----------
    sent
        Bytes of blobs that left this process for a node, through the cluster.
    """

    def __init__(self, shared: str | None) -> None:
        self.shared = shared is not None
        self.store = BlobMemory() if shared is None else BlobStore(Path(shared))
        self._sending: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self.sent = 0

    def pack(self, value: object) -> tuple[bytes, tuple[Blob, ...]]:
        """`value` packed, and the blobs a node needs to unpack it, pinned until `release`."""
        with contained("pickling"):
            parts = dumped(value)
        return self.keep(parts)

    def keep(self, parts: Sequence[Buffer]) -> tuple[bytes, tuple[Blob, ...]]:
        """What was pickled in `parts`, as `pack` gives it."""
        blobs: list[Blob] = []

        def put(data: memoryview) -> Blob:
            blob = self.store.put(data)
            self.store.pin(blob.name)
            blobs.append(blob)
            return blob

        return sealed(parts, put), tuple(blobs)

    def pack_once(self, value: object) -> tuple[bytes, tuple[Blob, ...]]:
        """`value` packed for one reader, who removes its blobs; from any thread. `forget` those that nobody reads."""
        blobs: list[Blob] = []

        def put(data: memoryview) -> Blob:
            blobs.append(self.store.hand_over(data))
            return blobs[-1]

        with contained("pickling"):
            return pack(value, put), tuple(blobs)

    def forget(self, blobs: Sequence[Blob], worker: casty.Ref[Any] | None) -> None:
        """Nobody will read blobs that were packed for one reader; `worker` is the node they may have reached."""
        for blob in blobs:
            self.store.drop(blob.name)
            if not self.shared and worker is not None:
                worker.tell(DropBlob(blob.name))

    def hold(self, blobs: Sequence[Blob]) -> None:
        """Another task needs blobs that are here."""
        for blob in blobs:
            self.store.pin(blob.name)

    def release(self, blobs: Sequence[Blob]) -> None:
        """The blobs of a task that has ended may go."""
        for blob in blobs:
            self.store.unpin(blob.name)

    async def send(
        self, blobs: Sequence[Blob], worker: Worker, ranks: Sequence[int], address: Callable[[int], str]
    ) -> None:
        """Bring blobs to those of `ranks` that lack them: to one of these, which hands them on to the others.

        A blob is on its way only once at a time, so tasks that need the same one wait for each other here.
        """
        if self.shared:
            return
        for blob in dict.fromkeys(blobs):
            async with self._sending.setdefault(blob.name, asyncio.Lock()):
                answers = await asyncio.gather(*(worker(rank).ask(HasBlobs((blob.name,))) for rank in ranks))
                lacking = [rank for rank, missing in zip(ranks, answers, strict=True) if missing]
                if lacking:
                    first, *others = lacking
                    await self._send(blob, worker(first), tuple(map(address, others)))

    def take(self, blob: Blob) -> memoryview:
        """The content of a blob that was made for this one reader."""
        content = self.store.open(blob)
        self.store.drop(blob.name)
        return content

    def discard(self, data: bytes, worker: Callable[[], casty.Ref[Any]]) -> None:
        """Nobody wants a value of the node of `worker` any more: its blobs need not stay."""
        if not self.shared:
            for blob in blobs_of(data):
                worker().tell(DropBlob(blob.name))
        else:
            for blob in every_blob_of(data, self.store.open):
                self.store.drop(blob.name)

    def abandon(self, pid: int) -> None:
        """Remove what a slot's process that has ended had for this one, and will not be read."""
        if isinstance(self.store, BlobStore):
            remove_results(self.store.directory, pid)

    async def fetch(self, data: bytes, worker: casty.Ref[Any]) -> dict[str, memoryview]:
        """The blobs of a value that a node packed, which drops them then."""
        found = await self._fetched(data, worker)
        for name in found:
            worker.tell(DropBlob(name))
        return found

    async def through(self, transfer: Callable[[], Awaitable[Any]], wanted: Callable[[], bool]) -> Any:
        """What `transfer` gives; a link that breaks meanwhile has it begin anew, for as long as it is `wanted`.

        Whoever wants it hears by itself when the node is lost.
        """
        while True:
            try:
                return await transfer()
            except casty.Unavailable:
                if not wanted():
                    raise
                await asyncio.sleep(_RETRY)

    async def _send(self, blob: Blob, worker: casty.Ref[Any], relay: tuple[str, ...]) -> None:
        view = self.store.open(blob)

        async def piece(offset: int) -> None:
            data = bytes(view[offset : offset + PIECE])
            self.sent += len(data)
            if refused := await worker.ask(PutPiece(blob.name, offset, blob.size, data, relay)):
                raise NoRoom(f"the node could not keep what the task needs: {refused}")

        await _windowed(piece, range(0, blob.size, PIECE))

    async def _fetched(self, data: bytes, worker: casty.Ref[Any]) -> dict[str, memoryview]:
        found: dict[str, memoryview] = {}
        for blob in blobs_of(data):
            found[blob.name] = await self._fetch(blob, worker)
            whole = bytes(found[blob.name]) if data[:1] == b"b" else b""
            if whole[:1] == b"x":
                found.update(await self._fetched(whole, worker))
        return found

    async def _fetch(self, blob: Blob, worker: casty.Ref[Any]) -> memoryview:
        whole = bytearray(blob.size)

        async def piece(offset: int) -> None:
            data = await worker.ask(FetchPiece(blob.name, offset, PIECE))
            if not data:
                raise FileNotFoundError(f"the node has no {blob.name}")
            whole[offset : offset + PIECE] = data

        await _windowed(piece, range(0, blob.size, PIECE))
        return memoryview(whole)


async def _windowed(work: Callable[[int], Any], offsets: Sequence[int]) -> None:
    """Run `work` for each offset, `IN_FLIGHT` at a time, started in order."""
    gate = asyncio.Semaphore(IN_FLIGHT)

    async def one(offset: int) -> None:
        async with gate:
            await work(offset)

    try:
        await side_by_side([partial(one, offset) for offset in offsets])
    except ExceptionGroup as several:
        raise several.exceptions[0] from None
