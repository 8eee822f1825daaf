"""Code of the user's own that was edited on disk is loaded again before the next cell or call runs.

Only modules that `skyward_jupyter.wire.byvalue` calls the user's own are looked at, and only those whose file is newer
than when it was last loaded; functions and classes that were imported from them follow.
"""

from __future__ import annotations

import os
import sys
from types import ModuleType
from typing import Any

from skyward_jupyter.wire.byvalue import own_modules


class Refresher:
    """Remembers when each module's file was last loaded."""

    def __init__(self) -> None:
        self._loaded: dict[str, float] = {}
        self._objects: dict[Any, Any] = {}

    def remember(self) -> None:
        """Note when the modules that were just imported were changed."""
        for module in own_modules():
            if module.__name__ not in self._loaded:
                self._loaded[module.__name__] = _changed(module)

    def refresh(self, shell: Any = None) -> None:
        """Load again what was edited; a module that fails to load is said and left as it is."""
        for module in own_modules():
            changed = _changed(module)
            known = self._loaded.setdefault(module.__name__, changed)
            if changed > known:
                self._loaded[module.__name__] = changed
                self._reload(module, shell)

    def _reload(self, module: ModuleType, shell: Any) -> None:
        from IPython.extensions.autoreload import superreload

        try:
            superreload(module, old_objects=self._objects, shell=shell)
        except Exception as error:
            sys.stderr.write(f"{module.__name__} was edited but does not load: {type(error).__name__}: {error}\n")


def _changed(module: ModuleType) -> float:
    try:
        return os.stat(module.__file__ or "").st_mtime
    except OSError:
        return 0.0
