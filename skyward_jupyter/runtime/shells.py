"""IPython's shell in this process, where it has one; IPython is never imported for it."""

from __future__ import annotations

import sys
from typing import Any


def ipython_shell() -> Any:
    """Return the shell of a kernel or of a terminal; None without one, also while IPython is still being imported."""
    return getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
