"""Large buffers as files named by their content, shared by everything on one machine that may read them.

A blob is written once, under its digest, and never changed after: a reader maps it privately, so what it does to its
copy stays its own and a 64 MB array reaches eight processes of a machine with one copy of the bytes. The digest is
xxHash's XXH3 with 128 bits: it tells contents apart, it does not authenticate them.

The directory belongs to one pool on one machine; whoever made it removes it. One that vanished, as cleaners of
temporary files may have it, is made again. What is evicted while a process has it mapped stays readable there. Where
the file system is full, what is kept for the next use goes first; what still has no room goes to the pool's second
place.
"""

from __future__ import annotations

import contextlib
import errno
import io
import itertools
import mmap
import os
import re
import secrets
from collections import OrderedDict
from collections.abc import Buffer, Callable, Collection
from dataclasses import dataclass
from pathlib import Path

import xxhash

from skyward_jupyter.errors import NoRoom
from skyward_jupyter.wire.holds import hold
from skyward_jupyter.wire.remnants import new_token, partial_name
from skyward_jupyter.wire.spill import spill_of

#: Buffers at least this large travel as blobs, smaller ones inside the payload (bytes).
INLINE_LIMIT = 256 * 1024

#: How many bytes of arguments a store keeps for the next use, before the oldest unused go; on a small file system it is
#: this share of it.
KEEP = 2**30
_SHARE = 0.5
_PIECE = 2**20

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
#: A digest, or a token, with a number where there may be several: of a result, or of what arrives.
_NAME = re.compile(r"[0-9a-f]{32}|[0-9a-f]{16,32}-[0-9]{1,20}")
#: The folder of an executor's blobs, which are in one beside the store.
_FOLDER = re.compile(r"executor[0-9A-Za-z]{1,64}")


class NotABlob(FileNotFoundError):
    """A name that no blob can have: there is no such file, and none is looked for."""

    def __init__(self, name: str) -> None:
        super().__init__(errno.ENOENT, "this is not the name of a blob", name[:100])


@dataclass(frozen=True, slots=True)
class Blob:
    """Name (the digest of its content, or one of its own for a result) and size in bytes of a blob."""

    name: str
    size: int


def digest(data: Buffer) -> str:
    """Content hash of `data` as 32 hex digits (XXH3, 128 bits)."""
    return xxhash.xxh3_128_hexdigest(data)


def is_name(name: str) -> bool:
    """Return whether a blob may be called this, also with the folder of its executor."""
    folder, slash, own = name.rpartition("/")
    return _NAME.fullmatch(own) is not None and (not slash or _FOLDER.fullmatch(folder) is not None)


def for_one_reader(name: str) -> bool:
    """Whether a blob of this name was handed over: its one reader removes it, so nothing keeps it for the next use."""
    return "-" in name


class BlobStore:
    """The blobs in one directory.

    Parameters
    ----------
    directory
        Where the files are; made with mode 0700 when missing.
    keep
        Bytes kept before unused blobs are evicted, oldest use first; what suits the file system when not given.
    needed
        Names blobs that are needed beside those that are pinned, whenever some are to be evicted.
    """

    def __init__(
        self, directory: Path, keep: int | None = None, needed: Callable[[], Collection[str]] = frozenset
    ) -> None:
        self.directory = directory
        self._needed = needed
        self._keep = keep
        self._sizes: OrderedDict[str, int] = OrderedDict()
        self._pins: dict[str, int] = {}
        self._token = new_token()
        self._numbers = itertools.count(1)
        self._arriving: dict[str, tuple[io.FileIO, int]] = {}
        self._make()

    @property
    def keep(self) -> int:
        """How many bytes it keeps."""
        if self._keep is None:
            about = os.statvfs(self.directory)
            self._keep = min(KEEP, int(about.f_blocks * about.f_frsize * _SHARE))
        return self._keep

    def path(self, name: str) -> Path:
        """The file of a blob, whether or not it is there; `NotABlob` for a name that none has."""
        first = self.directory / _checked(name)
        spill = None if first.exists() else self._spill()
        return spill / name if spill is not None and (spill / name).exists() else first

    def has(self, name: str) -> bool:
        """Whether the blob is here, whole."""
        return _NAME.fullmatch(name) is not None and self.path(name).exists()

    def use(self, name: str) -> bool:
        """Whether the blob is here; then it is about to be used, and the last to be evicted."""
        if name in self._sizes:
            self._sizes.move_to_end(name)
        return self.has(name)

    def put(self, data: Buffer) -> Blob:
        """Keep `data`, which must be contiguous bytes, and return its blob. Kept already, it is not written again."""
        view = memoryview(data)
        blob = Blob(digest(view), view.nbytes)
        if not self.has(blob.name):
            self._write(blob.name, view)
        self._touch(blob)
        return blob

    def hand_over(self, data: Buffer) -> Blob:
        """Write `data` under a name of its own, for one reader, who drops it.

        Two equal results are two blobs, so neither's reader can drop the other's. Content that is here already (an
        argument that comes back) is linked, not copied.
        """
        view = memoryview(data)
        blob = Blob(f"{self._token}-{next(self._numbers)}", view.nbytes)
        source = self.path(digest(view))
        try:
            os.link(source, source.with_name(blob.name))
        except OSError:
            self._write(blob.name, view)
        return blob

    def open(self, blob: Blob) -> memoryview:
        """The content of a blob, mapped copy-on-write: writable, and private to this process."""
        if blob.size == 0:
            return memoryview(bytearray())
        try:
            fd = os.open(self.path(blob.name), os.O_RDONLY)
        except FileNotFoundError as error:
            why = "a file that the pool keeps while it is needed was removed by another program"
            raise FileNotFoundError(error.errno, why, str(error.filename)) from None
        try:
            mapped = mmap.mmap(fd, blob.size, flags=mmap.MAP_PRIVATE, prot=mmap.PROT_READ | mmap.PROT_WRITE)
            return memoryview(mapped)
        finally:
            os.close(fd)

    def take(self, blob: Blob) -> memoryview:
        """`open` for the one reader of a blob: it is dropped, and its content lasts as long as it is used."""
        content = self.open(blob)
        self.drop(blob.name)
        return content

    def read(self, name: str, offset: int, length: int) -> bytes:
        """At most `length` bytes of a blob from `offset` on."""
        with self.path(name).open("rb") as file:
            file.seek(offset)
            return file.read(length)

    def write_piece(self, name: str, offset: int, data: bytes, size: int) -> bool:
        """Keep one piece of a blob that arrives in pieces; returns whether it is now whole.

        A piece that starts at 0 starts the blob anew, so an upload that was broken off can be repeated.
        """
        if offset == 0 and name in self._arriving:
            self._arriving.pop(name)[0].close()
        if name not in self._arriving:
            self._arriving[name] = self._again(lambda: self._partial(name).open("wb", buffering=0), size), 0
        file, arrived = self._arriving[name]
        try:
            self._again(lambda: _write_at(file, data, offset), size)
        except OSError as error:
            moved = self._move(name, file) if error.errno in _FULL else None
            if moved is None:
                raise
            file = moved
            _write_at(file, data, offset)
        arrived += len(data)
        self._arriving[name] = file, arrived
        if arrived < size:
            return False
        del self._arriving[name]
        file.close()
        partial = Path(str(file.name))
        partial.rename(partial.with_name(name))
        if not for_one_reader(name):
            self._touch(Blob(name, size))
        return True

    def adopt(self, name: str, blob: Blob) -> None:
        """Keep what arrived whole under another name as a blob, whose content it is."""
        file = self.path(name)
        file.rename(file.with_name(blob.name))
        self._touch(blob)

    def give_up(self, name: str) -> None:
        """Remove a blob that arrives, or has arrived, for one reader."""
        if name in self._arriving:
            file, _ = self._arriving.pop(name)
            file.close()
            Path(str(file.name)).unlink(missing_ok=True)
        self.drop(name)

    def pin(self, name: str) -> None:
        """Keep a blob while something in flight needs it."""
        self._pins[name] = self._pins.get(name, 0) + 1

    def unpin(self, name: str) -> None:
        """Take back one `pin`."""
        left = self._pins.get(name, 0) - 1
        if left > 0:
            self._pins[name] = left
        else:
            self._pins.pop(name, None)

    def drop(self, name: str) -> None:
        """Remove a blob, unless it is one this store keeps or has pinned; absent, nothing happens."""
        if name not in self._sizes and name not in self._pins:
            with contextlib.suppress(NotABlob):
                self.path(name).unlink(missing_ok=True)

    def _write(self, name: str, view: memoryview) -> None:
        try:
            self._again(lambda: _fill(self.directory, name, view), view.nbytes)
        except OSError as error:
            try:
                if error.errno not in _FULL or (spill := self._spill()) is None:
                    raise
                spill.mkdir(mode=0o700, exist_ok=True)
                _fill(spill, name, view)
            except OSError:
                raise NoRoom(
                    f"there is no room for {view.nbytes / 2**20:.0f} MB in {self.directory.parent} ({error.strerror}); "
                    "send or return less at a time"
                ) from None

    def _again[T](self, work: Callable[[], T], size: int) -> T:
        """Do something that takes room for `size` bytes, once more if there is none, or no directory, at first."""
        try:
            return work()
        except FileNotFoundError:
            self._make()
        except OSError as error:
            if error.errno not in _FULL or not self._evict(size):
                raise
        return work()

    def _make(self) -> None:
        """Have the directory, and the pool's above it, whose names anybody may know once they are gone."""
        again = not self.directory.parent.exists()
        for folder in (self.directory.parent, self.directory):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if folder.stat().st_uid not in (os.getuid(), 0):
                raise PermissionError(errno.EACCES, "it belongs to another user", str(folder))
        if again:
            hold(self.directory.parent)

    def _spill(self) -> Path | None:
        """This store's directory in the pool's second place, if there is one; it may not be made yet."""
        spill = spill_of(self.directory.parent)
        return spill / self.directory.name if spill is not None else None

    def _partial(self, name: str) -> Path:
        return self.directory / f"{_checked(name)}.part"

    def _move(self, name: str, file: io.FileIO) -> io.FileIO | None:
        """Go on with a blob that arrives in the second place, if there is one."""
        spill = self._spill()
        if spill is None or Path(str(file.name)).parent == spill:
            return None
        spill.mkdir(mode=0o700, exist_ok=True)
        moved = (spill / f"{name}.part").open("wb", buffering=0)
        with open(file.name, "rb") as source:
            for start in range(0, os.fstat(source.fileno()).st_size, _PIECE):
                _write_at(moved, source.read(_PIECE), start)
        os.unlink(file.name)
        file.close()
        self._arriving[name] = moved, self._arriving[name][1]
        return moved

    def _evict(self, size: int, spared: str = "") -> bool:
        """Let unused blobs go, oldest use first, until so much is free; returns whether any went."""
        freed, needed = 0, {spared, *self._pins, *self._needed()}
        for name in [name for name in self._sizes if name not in needed]:
            if freed >= size:
                break
            freed += self._sizes.pop(name)
            self.path(name).unlink(missing_ok=True)
        return freed > 0

    def _touch(self, blob: Blob) -> None:
        self._sizes[blob.name] = blob.size
        self._sizes.move_to_end(blob.name)
        over = sum(self._sizes.values()) - self.keep
        if over > 0:
            self._evict(over, blob.name)


def _checked(name: str) -> str:
    if _NAME.fullmatch(name) is None:
        raise NotABlob(name)
    return name


def _write_at(file: io.FileIO, data: bytes, offset: int) -> None:
    """Write all of `data`; a file system that is almost full takes some of it first."""
    rest = memoryview(data)
    while rest.nbytes:
        written = os.pwrite(file.fileno(), rest, offset)
        rest, offset = rest[written:], offset + written


def _fill(folder: Path, name: str, view: memoryview) -> None:
    """Write a file whole or not at all."""
    partial = folder / partial_name(name)
    try:
        with partial.open("wb", buffering=0) as file:
            rest = view.cast("B")
            while rest.nbytes:
                rest = rest[file.write(rest) :]
        partial.rename(folder / name)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


class BlobMemory:
    """The blobs of a sender that shares no machine with its nodes: copies in memory, for as long as they are pinned."""

    def __init__(self) -> None:
        self._held: dict[str, tuple[bytes, int]] = {}
        self._token = secrets.token_hex(8)
        self._numbers = itertools.count(1)

    def put(self, data: Buffer) -> Blob:
        """Copy `data`, unless it is here already."""
        view = memoryview(data)
        blob = Blob(digest(view), view.nbytes)
        if blob.name not in self._held:
            self._held[blob.name] = bytes(view), 0
        return blob

    def hand_over(self, data: Buffer) -> Blob:
        """Copy `data` under a name of its own, pinned once, for one reader."""
        view = memoryview(data)
        blob = Blob(f"{self._token}-{next(self._numbers)}", view.nbytes)
        self._held[blob.name] = bytes(view), 1
        return blob

    def open(self, blob: Blob) -> memoryview:
        """The content of a pinned blob."""
        return memoryview(self._held[blob.name][0])

    def pin(self, name: str) -> None:
        """Keep a blob while something in flight needs it."""
        if name in self._held:
            content, pins = self._held[name]
            self._held[name] = content, pins + 1

    def unpin(self, name: str) -> None:
        """Take back one `pin`; with the last one the copy goes."""
        content, pins = self._held.get(name, (b"", 0))
        if pins > 1:
            self._held[name] = content, pins - 1
        else:
            self._held.pop(name, None)

    def drop(self, name: str) -> None:
        """Forget what was handed over and will not be read. Results are not kept here."""
        if for_one_reader(name):
            self._held.pop(name, None)
