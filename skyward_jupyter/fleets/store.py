"""The private directory of a pool on this machine: its certificates, its token, and blobs where nodes share them."""

from __future__ import annotations

import contextlib
import json
import os
import stat
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from skyward_jupyter.errors import ProvisioningFailed
from skyward_jupyter.providers import records, token
from skyward_jupyter.providers.records import PoolRecord
from skyward_jupyter.wire.holds import unheld
from skyward_jupyter.wire.spill import add_spill, hold_store, remove_store

if TYPE_CHECKING:
    from skyward_jupyter.ssh.image import Image

#: So much shared memory is enough for a pool (bytes), whatever the disk has.
ROOMY = 2**29

_MEMORY = Path("/dev/shm")
_PREFIX = "skyward-"
_IMAGE = "image.json"
#: A directory without a lock may be just being made for so long (seconds).
_NEW = 60.0


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
    try:
        return Path(tempfile.gettempdir())
    except FileNotFoundError:  # Python found room in none
        return Path(os.environ.get("TMPDIR") or "/tmp")


def new_store(pool: str, fill: Callable[[str], None] = lambda _: None, after: float = 0.0) -> str:
    """Make a directory in shared memory where there is some, with a second place on the disk, and have it filled.

    This process holds it from now on, and it stays for `after` seconds when nobody does. Directories that nobody holds
    are removed on the way.

    Raises
    ------
    ProvisioningFailed
        It could not be made or filled anywhere; nothing of it is left.
    """
    first, second = shared_memory(), disk()
    for place in {first, second, _MEMORY}:
        _sweep(place)
    failed: list[str] = []
    for place in dict.fromkeys((first, second)):
        try:
            return _made(place, second, pool, fill, after)
        except OSError as error:
            failed.append(f"in {place} ({error.strerror or error}, {_room(place)})")
    raise ProvisioningFailed(
        f"pool {pool!r} cannot keep its files {' nor '.join(failed)}: make room there, or set TMPDIR to a directory "
        "that has some"
    )


def _made(place: Path, second: Path, pool: str, fill: Callable[[str], None], after: float) -> str:
    """A new directory in `place`, or nothing."""
    store = tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-{pool}-", dir=place)
    try:
        if second != place:
            add_spill(Path(store), second)
        hold_store(store, after)
        fill(store)
    except BaseException:
        remove_store(store)
        raise
    return store


def _room(place: Path) -> str:
    """How much of a file system is free, for people."""
    try:
        about = os.statvfs(place)
    except OSError as error:
        return str(error.strerror)
    free, whole = (count * about.f_frsize / 2**20 for count in (about.f_bavail, about.f_blocks))
    return f"{free:,.0f} of {whole:,.0f} MB free"


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
    """Remove the directories of pools that nobody holds, and nobody may want again."""
    wanted = {Path(record.store).name for record in _recorded() if record.standing != "over"}
    for path in base.glob(f"{_PREFIX}*-*"):
        owner = path.name.removeprefix(_PREFIX).partition("-")[0]
        with contextlib.suppress(OSError):
            if owner.isdigit() and path.name not in wanted and _is_mine(path):
                _remove_unheld(path, int(owner))


def _is_mine(path: Path) -> bool:
    """Whether it is a directory of this user: others may have made it to have something removed here."""
    about = path.lstat()
    return stat.S_ISDIR(about.st_mode) and about.st_uid == os.getuid()


def _remove_unheld(path: Path, owner: int) -> None:
    try:
        with unheld(path) as free:
            if free:
                remove_store(str(path))
    except FileNotFoundError:
        # Its file system has no locks, or it is just being made, perhaps in another container.
        if time.time() - path.stat().st_mtime > _NEW and not psutil.pid_exists(owner):
            remove_store(str(path))


def _recorded() -> list[PoolRecord]:
    try:
        return records.read()[0]
    except OSError:
        return []
