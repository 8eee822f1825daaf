"""Which edits IPython's autoreload has taken in.

It often changes the functions of a module in place, without importing it again, so that no finder hears of it.
"""

from __future__ import annotations

import os
from typing import Any

from IPython.core.interactiveshell import InteractiveShell


def has_taken_in(shell: InteractiveShell, name: str, path: str) -> bool:
    """Return whether autoreload is on and has the module as its file is now."""
    magics: Any = shell.magics_manager.registry.get("AutoreloadMagics")
    reloader = getattr(magics, "_reloader", None)
    if reloader is None or not reloader.enabled:
        return False
    try:
        changed = os.stat(path).st_mtime
    except OSError:
        return False
    return bool(reloader.modules_mtimes.get(name) == changed and reloader.failed.get(path) != changed)
