"""Has a fork wait while another thread imports modules of this project, which happens when a name is first used.

The child would have such a module half made, and wait for good for the thread that was making it.
"""

from __future__ import annotations

import concurrent.futures.thread  # noqa: F401
import logging  # noqa: F401
import os
import sys
import time

from skyward_jupyter import showing

#: How long a fork waits (seconds); then it takes place all the same.
WITHIN = 10.0
_LOOK = 0.005
_OURS = ("skyward.", "skyward_jupyter.")


def _importing() -> bool:
    """Whether a module of ours is being imported."""
    specs = (getattr(module, "__spec__", None) for name, module in list(sys.modules.items()) if name.startswith(_OURS))
    return any(getattr(spec, "_initializing", False) for spec in specs)


def _before() -> None:
    until = time.monotonic() + WITHIN
    while _importing() and time.monotonic() < until:
        time.sleep(_LOOK)


# Registered after those of the modules imported above, it comes before them at a fork: an import may need their locks.
os.register_at_fork(before=_before)
# Whatever is used first may raise.
showing.install()
