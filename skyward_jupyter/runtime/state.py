"""The directory of what outlives a process: records of pools, known machines, logs of what failed.

Only this user reads it. What others could write to is not used: they might have put something there that is believed.
"""

from __future__ import annotations

import grp
import os
import pwd
import stat
from pathlib import Path

from skyward_jupyter.errors import UsageError

_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_WHAT = "what Skyward knows of pools"
_ELSEWHERE = "name a directory of your own in SKYWARD_STATE_DIR"


def location() -> Path:
    """Where it is: ``SKYWARD_STATE_DIR``, or ``skyward`` in the user's state directory."""
    named = os.environ.get("SKYWARD_STATE_DIR")
    base = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(named) if named else Path(base) / "skyward"


def directory() -> Path:
    """The same, made when it is not there; from now on this user alone reads it.

    Raises
    ------
    UsageError
        It cannot be made, it is another user's, or others can write to it.
    """
    path = location()
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"{path} is to keep {_WHAT}, and cannot be made ({error.strerror}): {_ELSEWHERE}") from error
    about = path.stat()
    # Root may work in a directory of the user whose machine or volume it is.
    if os.geteuid() not in (0, about.st_uid):
        raise UsageError(f"{path} is to keep {_WHAT}, and is another user's: {_ELSEWHERE}")
    if about.st_mode & stat.S_IWOTH or (about.st_mode & stat.S_IWGRP and not _is_own(about.st_gid)):
        raise UsageError(
            f"{path} is to keep {_WHAT}, and others can write to it: look what is in it and run chmod 700 on it, or "
            f"{_ELSEWHERE}"
        )
    if about.st_mode & _OTHERS:
        path.chmod(0o700)
    return path


def _is_own(group: int) -> bool:
    """Whether a group is this user's alone, as where each user has one of the same name."""
    try:
        user, found = pwd.getpwuid(os.geteuid()).pw_name, grp.getgrgid(group)
    except KeyError:
        return False
    return found.gr_name == user and set(found.gr_mem) <= {user}
