"""What libraries were loaded from, to tell whether they have been upgraded since.

Installers replace the file that a package is loaded from, or touch its directory: a change of a single other file by
hand is not noticed.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterable, Sequence
from typing import Any

#: A file or directory, and its time, size and number in the file system.
type Stamp = Sequence[Any]


def stamps(modules: Iterable[str]) -> list[Stamp]:
    """Return those of the libraries that these modules are of, without Python's own."""
    tops = {name.partition(".")[0] for name in modules} - sys.stdlib_module_names
    return [stamp for top in sorted(tops) if (stamp := _stamp(top))]


def is_current(stamp: Stamp) -> bool:
    """Return whether what a library was loaded from is still the same."""
    return list(stamp[1:]) == _about(stamp[0])


def changes(folders: Iterable[str]) -> tuple[tuple[str, tuple[int, ...]], ...]:
    """Return what tells whether something was installed into one of these folders, or removed from it."""
    return tuple((folder, tuple(_about(folder))) for folder in folders)


def _stamp(library: str) -> Stamp:
    module = sys.modules.get(library)
    place = getattr(module, "__file__", None) or next(iter(getattr(module, "__path__", ())), None)
    return [place, *_about(place)] if isinstance(place, str) else []


def _about(place: str) -> list[int]:
    with contextlib.suppress(OSError):
        about = os.stat(place)
        return [about.st_mtime_ns, about.st_size, about.st_ino]
    return []
