"""The files of the user's project that an image includes, and the archive of those that a machine lacks."""

from __future__ import annotations

import fnmatch
import hashlib
import io
import json
import os
import tarfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from skyward_jupyter.errors import UsageError
from skyward_jupyter.project.folder import NEVER, is_environment
from skyward_jupyter.ssh.image import Image

#: Hashes of files by what tells whether they changed.
_known: dict[tuple[str, int, int, int], str] = {}


@dataclass(frozen=True, slots=True)
class Included:
    """A file: where it is, its path in the working directory there, the hash of its content, and its mode."""

    source: str
    path: str
    digest: str
    mode: int


def included(image: Image) -> tuple[Included, ...]:
    """The files that the image includes, as they are now, by path.

    Links to files count as files; links to directories are not followed.

    Raises
    ------
    UsageError
        A path or a pattern leads to nothing.
    """
    root = Path(image.root)
    excludes = (*NEVER, *(pattern.rstrip("/") for pattern in image.excludes))
    found: dict[str, Path] = {}
    for pattern in image.includes:
        for path in _matched(pattern, root):
            found |= dict(_files(path, root, excludes))
    return tuple(_described(found[name], name) for name in sorted(found))


def check_includes(image: Image) -> None:
    """Raise a UsageError for a path or a pattern that leads to nothing."""
    for pattern in image.includes:
        _matched(pattern, Path(image.root))


def _matched(pattern: str, root: Path) -> list[Path]:
    matched = list(root.glob(pattern)) if any(sign in pattern for sign in "*?[") else [root / pattern]
    matched = [path for path in matched if path.exists()]
    if not matched:
        raise UsageError(f"includes has {pattern!r}, and there is nothing of that name in {root}")
    return matched


def manifest(files: Iterable[Included]) -> str:
    """The files by path, as a machine reads them."""
    return json.dumps({file.path: [file.digest, file.mode] for file in files})


def name_of(digests: set[str]) -> str:
    """What names a set of contents."""
    return hashlib.sha256("".join(sorted(digests)).encode()).hexdigest()[:20]


def pack(archive: Path, files: Iterable[Included], missing: set[str]) -> None:
    """Make an archive of the contents that are missing, each once, named by its hash.

    Raises
    ------
    OSError
        A file changed meanwhile, or is gone.
    """
    wanted = {file.digest: file for file in files if file.digest in missing}
    with tarfile.open(archive, mode="w:gz", compresslevel=1) as target:
        for digest, file in wanted.items():
            _add(target, digest, file)


def _add(archive: tarfile.TarFile, digest: str, file: Included) -> None:
    with open(file.source, "rb") as content:
        entry = tarfile.TarInfo(digest)
        entry.size = os.fstat(content.fileno()).st_size
        seen = _Seen(content)
        archive.addfile(entry, seen)
    if seen.digest.hexdigest() != digest:
        raise OSError(f"{file.path} changed meanwhile; start the pool again once it is written")


class _Seen(io.RawIOBase):
    """A file that is hashed as it is read."""

    def __init__(self, file: io.BufferedReader) -> None:
        self._file = file
        self.digest = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        piece = self._file.read(size)
        self.digest.update(piece)
        return piece


def _files(start: Path, root: Path, excludes: tuple[str, ...]) -> Iterator[tuple[str, Path]]:
    if _excluded(start.relative_to(root).as_posix(), excludes):
        return
    if start.is_file():
        yield start.relative_to(root).as_posix(), start
        return
    for folder, folders, names in os.walk(start):
        below = Path(folder).relative_to(root)
        folders[:] = [
            name for name in folders if not _left_out((below / name).as_posix(), Path(folder, name), excludes)
        ]
        for name in names:
            path = (below / name).as_posix()
            if not _matches(path, excludes) and Path(folder, name).is_file():
                yield path, Path(folder, name)


def _left_out(path: str, folder: Path, excludes: tuple[str, ...]) -> bool:
    """Whether a directory is: one that is a virtual environment has this file, whatever its name."""
    return _matches(path, excludes) or is_environment(folder)


def _excluded(path: str, excludes: tuple[str, ...]) -> bool:
    """Whether a path, or a directory it is in, is left out."""
    parts = path.split("/")
    return any(_matches("/".join(parts[: end + 1]), excludes) for end in range(len(parts)))


def _matches(path: str, excludes: tuple[str, ...]) -> bool:
    name = path.rpartition("/")[2]
    return any(fnmatch.fnmatchcase(path if "/" in pattern else name, pattern) for pattern in excludes)


def _described(source: Path, path: str) -> Included:
    about = source.stat()
    key = (str(source), about.st_size, about.st_mtime_ns, about.st_ino)
    digest = _known.get(key)
    if digest is None:
        with open(source, "rb") as file:
            digest = _known[key] = hashlib.file_digest(file, "sha256").hexdigest()
    return Included(str(source), path, digest, about.st_mode & 0o777)
