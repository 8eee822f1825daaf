"""Which modules and which entries of ``sys.path`` are the user's own.

A file is the user's own when it lies outside the interpreter's library and outside every ``site-packages``, and is not
part of this project. Such code may exist on this machine only, and may be edited at any time; installed libraries are
expected on the nodes as well.
"""

from __future__ import annotations

import os
import sys
import sysconfig
from collections.abc import Iterable, Iterator
from functools import lru_cache
from importlib.machinery import EXTENSION_SUFFIXES
from types import ModuleType

import cloudpickle

from skyward_jupyter.wire.locks import thread_lock

_PROJECT = ("skyward", "skyward_jupyter")
_LIBRARY_PARTS = ("site-packages", "dist-packages")
_ARCHIVE = f"python{sys.version_info.major}{sys.version_info.minor}.zip"
_STANDARD = tuple(
    {os.path.realpath(path) + os.sep for key in ("stdlib", "platstdlib") if (path := sysconfig.get_paths().get(key))}
)
_ENDS = (".py", *EXTENSION_SUFFIXES)

_lock = thread_lock()
_seen: set[str] = set()
_latest = ""
_own: dict[str, ModuleType] = {}


def is_ours(name: str) -> bool:
    """Return whether a module of this name belongs to this project, or is the program itself."""
    return name.partition(".")[0] in _PROJECT or name == "__main__"


@lru_cache(maxsize=4096)
def is_own_path(path: str) -> bool:
    """Return whether a file or directory lies outside the libraries that are installed here."""
    if any(part in _LIBRARY_PARTS or part == _ARCHIVE for part in path.split(os.sep)):
        return False
    return not (os.path.realpath(path) + os.sep).startswith(_STANDARD)


def is_own(module: ModuleType) -> bool:
    """Return whether `module` is code of the user's, as opposed to an installed library."""
    file: str | None = getattr(module, "__file__", None)
    return file is not None and not is_ours(module.__name__) and file.endswith(_ENDS) and is_own_path(file)


def is_unfinished(name: str | None) -> bool:
    """Return whether a module of this name is the user's own and is being imported at this moment.

    Its top level may be what waits for a task: a node that imported it would run the same there.
    """
    module = sys.modules.get(name or "")
    return getattr(getattr(module, "__spec__", None), "_initializing", False) and is_own(module)  # type: ignore[arg-type]


def unfinished() -> str:
    """Return the name of an own module that is being imported at this moment; empty when there is none."""
    return next((name for name in list(sys.modules) if is_unfinished(name)), "")


def goes_by_value(module: str) -> bool:
    """Return whether the user has asked cloudpickle to send a module, or one it is in, by value."""
    asked = cloudpickle.list_registry_pickle_by_value()
    return bool(asked) and any(module == name or module.startswith(f"{name}.") for name in asked)


def own_modules() -> tuple[ModuleType, ...]:
    """Return the user's own modules among those imported; only modules new since the last call are looked at."""
    with _lock:
        return _looked()


def _looked() -> tuple[ModuleType, ...]:
    global _latest
    latest = next(reversed(sys.modules), "")
    if len(sys.modules) != len(_seen) or latest != _latest:
        _latest = latest
        for name in set(sys.modules) - _seen:
            module = sys.modules.get(name)
            if isinstance(module, ModuleType) and module.__name__ == name and is_own(module):
                _own[name] = module
        _seen.clear()
        _seen.update(sys.modules)
        for name in set(_own) - _seen:
            del _own[name]
    return tuple(_own.values())


def own_roots(paths: Iterable[str]) -> Iterator[str]:
    """Yield the entries of ``sys.path`` that may hold code of the user's, as absolute paths, each once.

    An empty entry stands for the working directory.
    """
    found: set[str] = set()
    for entry in paths:
        try:
            root = os.path.abspath(entry)
        except OSError:
            continue  # the working directory is gone
        if root not in found and is_own_path(root) and (os.path.isdir(root) or _is_archive(root)):
            found.add(root)
            yield root


def _is_archive(path: str) -> bool:
    import zipfile  # costs more than all of this module, and few have one on their path

    return zipfile.is_zipfile(path)
