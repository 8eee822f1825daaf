"""What each of the user's own modules was loaded from, noted as it is imported.

A `Recorder` is the first finder of ``sys.meta_path``: it asks the others, and notes the file and the content of what is
the user's own. A module that was loaded before the recorder was there is noted as its file is when it is first seen.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.machinery import ModuleSpec, PathFinder, all_suffixes
from types import ModuleType
from typing import Protocol

from skyward_jupyter.wire.blobs import digest
from skyward_jupyter.wire.own import is_ours, is_own_path, own_modules

type Stamp = tuple[int, int]

#: Two changes within so long may have one time (ns); where whole seconds are told, within two of them.
_GRAIN, _SECOND = 20_000_000, 1_000_000_000
#: How the files of modules end; the folder of a package has no ending.
_ENDS = ("", *all_suffixes())


@dataclass(frozen=True, slots=True)
class Source:
    """The file that a module was loaded from, as it was then.

    Attributes
    ----------
    stamp
        Its time of change (ns) and its size.
    digest, content
        Hash of its content, and the content; empty for a compiled extension.
    """

    path: str
    stamp: Stamp
    digest: str
    content: bytes

    @classmethod
    def read(cls, path: str) -> Source | None:
        """Return what is in a file now; None when it cannot be read."""
        try:
            with open(path, "rb") as file:
                about = os.fstat(file.fileno())
                content = file.read() if path.endswith(".py") else b""
        except OSError:
            return None
        stamp = about.st_mtime_ns, about.st_size
        return cls(path, stamp, digest(content) if content else f"{stamp[0]:x}-{stamp[1]:x}", content)


def is_settled(stamp: Stamp | None, now: int) -> bool:
    """Return whether what changes after `now` (ns) gets another stamp: the times that file systems tell have grains."""
    if stamp is None:
        return True
    return abs(now - stamp[0]) > (_GRAIN if stamp[0] % _SECOND else 2 * _SECOND)


def stamp_of(path: str) -> Stamp | None:
    """Return a file's time of change (ns) and size; None when it is gone."""
    try:
        about = os.stat(path)
    except OSError:
        return None
    return about.st_mtime_ns, about.st_size


class Finder(Protocol):
    """What `sys.meta_path` holds. Of that of `importlib.abc` nothing is needed, and it imports much."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None, /
    ) -> ModuleSpec | None:
        """Return where a module is; None to leave it to the finders after this one."""
        ...


def found_by_others(me: Finder, name: str, path: Sequence[str] | None, target: ModuleType | None) -> ModuleSpec | None:
    """Return what the finders after `me` say of a module."""
    finders = list(sys.meta_path)
    later = finders[finders.index(me) + 1 :] if me in finders else finders
    for finder in later:
        find = getattr(finder, "find_spec", None)
        spec: ModuleSpec | None = find(name, path, target) if find is not None else None
        if spec is not None:
            return spec
    return found_anew(name, path)


def found_anew(name: str, path: Sequence[str] | None) -> ModuleSpec | None:
    """Return where an own module is that has come since its folder was listed, without the folder's time telling it."""
    last = name.rpartition(".")[2]
    entries = [entry or _directory() for entry in (sys.path if path is None else path)]
    fresh = [entry for entry in entries if is_own_path(entry) and _holds(entry, last)]
    for entry in fresh:
        sys.path_importer_cache.pop(entry, None)
    return PathFinder.find_spec(name, entries) if fresh else None


def _holds(folder: str, name: str) -> bool:
    return any(os.path.exists(os.path.join(folder, name + end)) for end in _ENDS)


def _directory() -> str:
    try:
        return os.getcwd()
    except OSError:
        return ""


class Recorder:
    """Notes what own modules are loaded from, whichever thread imports them.

    Attributes
    ----------
    sources
        By the name of the module; of one whose import failed as well.
    count
        Grows with each note.
    """

    def __init__(self) -> None:
        self.sources: dict[str, Source] = {}
        self.count = 0

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return what the other finders find, and note it if it is the user's own."""
        spec = found_by_others(self, fullname, path, target)
        if spec is not None:
            self.note(spec)
        return spec

    def note(self, spec: ModuleSpec) -> None:
        """Note what a module is about to be loaded from."""
        origin = spec.origin
        if not origin or not spec.has_location or is_ours(spec.name) or not is_own_path(origin):
            return
        source = Source.read(origin)
        if source is not None and not (spec.name in sys.modules and _is_broken(source)):
            self.keep(spec.name, source)

    def keep(self, name: str, source: Source) -> None:
        """Note a source."""
        self.sources[name] = source
        self.count += 1

    def look(self) -> None:
        """Note own modules that were loaded without this recorder; forget those that are loaded no longer."""
        for module in own_modules():
            if module.__name__ not in self.sources and (source := Source.read(module.__file__ or "")) is not None:
                self.keep(module.__name__, source)
        for name in list(self.sources):
            if name not in sys.modules:
                self.sources.pop(name, None)


def _is_broken(source: Source) -> bool:
    """Return whether a module keeps what it was loaded from before, because this does not even compile."""
    try:
        compile(source.content, source.path, "exec", dont_inherit=True)
    except (SyntaxError, ValueError):
        return True
    return False


def install[T: Finder](finder: T) -> T:
    """Put a finder before all others."""
    if finder not in sys.meta_path:
        sys.meta_path.insert(0, finder)
    return finder
