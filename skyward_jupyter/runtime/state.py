"""The directory of what outlives a process: records of pools, known machines, logs of what failed."""

from __future__ import annotations

import os
from pathlib import Path


def location() -> Path:
    """Where it is: ``SKYWARD_STATE_DIR``, or ``skyward`` in the user's state directory."""
    named = os.environ.get("SKYWARD_STATE_DIR")
    base = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(named) if named else Path(base) / "skyward"


def directory() -> Path:
    """The same, made when it is not there; readable by this user only."""
    path = location()
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.chmod(0o700)
    return path
