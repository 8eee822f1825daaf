"""Runs on a machine: puts the files that an image includes into a pool's working directory.

Contents are kept once, by their hash, for all pools there. A file is written only where it is not what it should be,
and files that were put there before and are not wanted any more are removed; what user code made stays. Arguments:
the directory of contents, the pool's directory, the mark of lines for the other side, and an archive of contents that
were missing (may be empty).
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import sys
import tarfile
import tempfile
import time
from typing import Any

type Look = list[int]
type Entry = list[Any]

#: Contents that no pool has used for so long (seconds) go.
KEEP = 30 * 86400.0


def unpack(archive: str, contents: str) -> None:
    """Take contents in, each checked against its name; another one may have done it."""
    if not os.path.exists(archive):
        return
    with tarfile.open(archive) as packed:
        for member in packed:
            source = packed.extractfile(member)
            assert source is not None
            made, path = tempfile.mkstemp(dir=contents)
            digest = hashlib.sha256()
            with os.fdopen(made, "wb") as file:
                while piece := source.read(2**20):
                    digest.update(piece)
                    file.write(piece)
            if digest.hexdigest() != member.name:
                os.unlink(path)
                raise SystemExit(f"a file arrived damaged: {member.name}")
            os.replace(path, os.path.join(contents, member.name))
    os.unlink(archive)


def place(wanted: dict[str, Entry], placed: dict[str, Entry], contents: str, work: str) -> dict[str, Entry]:
    """Make the directory hold what is wanted; return what was put there, with how each file looked then."""
    for path in placed.keys() - wanted.keys():
        remove(work, path)
    now = {}
    for path, (digest, mode) in wanted.items():
        target = os.path.join(work, path)
        before = placed.get(path)
        if before is None or before[:2] != [digest, mode] or before[2] != look(target):
            put(os.path.join(contents, digest), target, mode)
        now[path] = [digest, mode, look(target)]
    return now


def put(source: str, target: str, mode: int) -> None:
    """Copy contents to a file, as a whole or not at all."""
    os.makedirs(os.path.dirname(target), exist_ok=True)
    if os.path.isdir(target) and not os.path.islink(target):
        shutil.rmtree(target)
    shutil.copyfile(source, target + ".skyward")
    os.chmod(target + ".skyward", mode)
    os.replace(target + ".skyward", target)


def remove(work: str, path: str) -> None:
    """Remove a file, and the directories that are empty without it."""
    with contextlib.suppress(OSError):
        os.unlink(os.path.join(work, path))
    while path := os.path.dirname(path):
        try:
            os.rmdir(os.path.join(work, path))
        except OSError:
            return


def look(path: str) -> Look | None:
    """Size and time of a file, which tell whether somebody changed it."""
    try:
        found = os.lstat(path)
    except OSError:
        return None
    return [found.st_size, found.st_mtime_ns]


def prune(contents: str) -> None:
    """Remove contents that nobody used for long."""
    for entry in os.scandir(contents):
        with contextlib.suppress(OSError):
            if entry.stat().st_mtime < time.time() - KEEP:
                os.unlink(entry.path)


def main(contents: str, pool: str, mark: str, archive: str) -> None:
    """Place what is there, or name what is missing."""
    # Held until the end: another one that prepares the same pool waits.
    lock = os.open(pool, os.O_RDONLY)
    fcntl.flock(lock, fcntl.LOCK_EX)
    if archive:
        unpack(archive, contents)
    with open(os.path.join(pool, "manifest")) as file:
        wanted = json.load(file)
    missing = set()
    for digest, _ in wanted.values():
        try:
            os.utime(os.path.join(contents, digest))
        except OSError:
            missing.add(digest)
    for digest in sorted(missing):
        sys.stdout.write(f"{mark} missing {digest}\n")
    if missing:
        return
    state = os.path.join(pool, "placed")
    placed = {}
    with contextlib.suppress(OSError, ValueError), open(state) as file:
        placed = json.load(file)
    # What is about to be put there is ours, also when this is cut short.
    keep({path: [*entry, None] for path, entry in wanted.items()} | placed, state)
    keep(place(wanted, placed, contents, os.path.join(pool, "work")), state)
    prune(contents)


def keep(placed: dict[str, Entry], state: str) -> None:
    """Remember what is ours."""
    with open(state + ".new", "w") as file:
        json.dump(placed, file)
    os.replace(state + ".new", state)


main(*sys.argv[1:])
