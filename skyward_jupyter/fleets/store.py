"""The private directory of a pool on this machine: its certificates, its token, and blobs where nodes share them."""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from skyward_jupyter.providers import records, token
from skyward_jupyter.providers.records import PoolRecord
from skyward_jupyter.wire.spill import add_spill, remove_store

if TYPE_CHECKING:
    from skyward_jupyter.ssh.image import Image

#: So much shared memory is enough for a pool (bytes), whatever the disk has.
ROOMY = 2**29

_MEMORY = Path("/dev/shm")
_PREFIX = "skyward-"
_IMAGE = "image.json"


def shared_memory() -> Path:
    """A directory in memory that every process of this machine can map, or the one for temporary files.

    The latter where there is no such memory, or so little is free of it, as in a container, that the disk has more.
    """
    memory, temporary = _MEMORY, disk()
    if not os.access(memory, os.W_OK | os.X_OK):
        return temporary
    free = _free(memory)
    return memory if free >= ROOMY or free >= _free(temporary) else temporary


def disk() -> Path:
    """The directory for temporary files."""
    return Path(tempfile.gettempdir())


def new_store(pool: str) -> str:
    """A directory in shared memory where there is some, with a second place on the disk.

    Directories of owners that are gone are removed on the way.
    """
    base, second = shared_memory(), disk()
    for place in {base, second, _MEMORY}:
        _sweep(place)
    store = tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-{pool}-", dir=base)
    if second != base:
        add_spill(Path(store), second)
    return store


def _free(place: Path) -> int:
    about = os.statvfs(place)
    return about.f_bavail * about.f_frsize


def furnish(store: str, pool: str) -> None:
    """Make the certificates and the token of a new pool."""
    from skyward_jupyter.providers import certificates  # takes a while, as long as a template does to start

    directory = certificates_in(store)
    directory.mkdir(mode=0o700)
    certificates.make(directory, pool)
    token.make(directory)


def certificates_in(store: str) -> Path:
    """Where they are."""
    return Path(store) / "certificates"


def keep_image(store: str, image: Image) -> None:
    """Keep what the machines of the pool are to be like: its environment may hold secrets, so no record has it."""
    token.write_private(Path(store) / _IMAGE, json.dumps(asdict(image)).encode())


def kept_image(store: str) -> Image:
    """What `keep_image` kept."""
    from skyward_jupyter.ssh.image import Image

    try:
        return Image(**json.loads((Path(store) / _IMAGE).read_text()))
    except OSError:
        return Image()


def _sweep(base: Path) -> None:
    held = {Path(record.store).name for record in _recorded() if record.standing != "over"}
    for path in base.glob(f"{_PREFIX}*-*"):
        owner = path.name.removeprefix(_PREFIX).partition("-")[0]
        with contextlib.suppress(OSError):
            if owner.isdigit() and not psutil.pid_exists(int(owner)) and path.name not in held and not _in_use(path):
                remove_store(str(path))


def _recorded() -> list[PoolRecord]:
    try:
        return records.read()[0]
    except OSError:
        return []


def _in_use(store: Path) -> bool:
    """Whether agents of an owner that is gone are still counting down, and will remove it themselves."""
    pool = store.name.removeprefix(_PREFIX).partition("-")[2].rpartition("-")[0]
    return any(
        (process.info["name"] or "").startswith("skyward") and f" {pool}/" in " ".join(process.info["cmdline"] or ())
        for process in psutil.process_iter(["name", "cmdline"])
    )
