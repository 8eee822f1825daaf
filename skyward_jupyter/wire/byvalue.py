"""Which modules travel by value: the notebook's, and the user's own.

A module is the user's own when its file lies outside the interpreter's library and outside every
``site-packages``, and it is not part of this project. Such code may exist on this machine only, and may have been
edited since a node last saw it, so its functions and classes are sent whole instead of by name.
"""

from __future__ import annotations

import sys
import sysconfig
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

import cloudpickle

_PROJECT = ("skyward", "skyward_jupyter")
_LIBRARY_PARTS = ("site-packages", "dist-packages")
_STANDARD = tuple(
    {str(Path(path).resolve()) for key in ("stdlib", "platstdlib") if (path := sysconfig.get_paths().get(key))}
)

#: cloudpickle's registry is one for all threads, and the items of streams are pickled in threads of their own: whoever
#: leaves `by_value` would take it from the others.
_registry = threading.RLock()
_seen: set[str] = set()
_latest = ""
_own: dict[str, ModuleType] = {}


def is_own(module: ModuleType) -> bool:
    """Whether `module` is code of the user's, as opposed to an installed library."""
    name = module.__name__
    if name.partition(".")[0] in _PROJECT or name == "__main__":
        return False
    file = getattr(module, "__file__", None)
    if not file or not file.endswith(".py"):
        return False
    path = Path(file)
    if any(part in path.parts for part in _LIBRARY_PARTS):
        return False
    return not str(path.resolve()).startswith(_STANDARD)


def own_modules() -> tuple[ModuleType, ...]:
    """The user's own modules among those imported; only modules new since the last call are looked at."""
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


@contextmanager
def by_value() -> Iterator[None]:
    """Make cloudpickle send the user's own modules by value inside the block, and only there."""
    with _registry:
        already = cloudpickle.list_registry_pickle_by_value()
        modules = [module for module in own_modules() if module.__name__ not in already]
        for module in modules:
            cloudpickle.register_pickle_by_value(module)
        try:
            yield
        finally:
            for module in modules:
                cloudpickle.unregister_pickle_by_value(module)
