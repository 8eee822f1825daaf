"""How a pool shows itself outside a notebook: what the user asked for, and what the streams allow."""

from __future__ import annotations

import os
import stat
import sys
from typing import Literal, TextIO, cast, get_args

from skyward_jupyter.errors import UsageError
from skyward_jupyter.runtime.shells import ipython_shell

type Mode = Literal["auto", "live", "lines", "off"]

VARIABLE = "SKYWARD_PANEL"
_MODES: tuple[str, ...] = get_args(Mode.__value__)
#: Set in what a notebook kernel starts: such a program may have a terminal, but nobody moves a cursor there.
_FROM_A_KERNEL = "JPY_PARENT_PID"


def checked(mode: object) -> Mode:
    """The mode a pool was given, with the environment's in place of ``auto``; raises UsageError for no mode."""
    given = os.environ.get(VARIABLE) or "auto"
    for what, value in (("panel", mode), (VARIABLE, given)):
        if value not in _MODES:
            raise UsageError(f"{what} is {value!r}; choose one of {', '.join(_MODES)}")
    return cast(Mode, given if mode == "auto" else mode)


def terminal(mode: Mode) -> TextIO | None:
    """The stream to draw on, if drawing is wanted and this process has a terminal that can move its cursor."""
    if mode not in ("auto", "live") or sys.platform == "win32":
        return None
    if os.environ.get("TERM", "dumb") in ("dumb", "unknown", ""):
        return None
    if mode == "auto" and (_FROM_A_KERNEL in os.environ or _piped(sys.stdout)):
        return None
    return next((stream for stream in (sys.stderr, sys.stdout) if on_terminal(stream)), None)


def on_terminal(stream: TextIO | None) -> bool:
    """Whether what is written to `stream` appears on a terminal."""
    try:
        return stream is not None and stream.isatty() and os.isatty(stream.fileno())
    except (AttributeError, OSError, ValueError):
        return False


def interactive() -> bool:
    """Whether a prompt is on the screen while no code runs."""
    return hasattr(sys, "ps1") or ipython_shell() is not None


def _piped(stream: TextIO | None) -> bool:
    """Whether another program gets what is written, and may write it to the same terminal."""
    try:
        return stream is not None and stat.S_ISFIFO(os.fstat(stream.fileno()).st_mode)
    except (AttributeError, OSError, ValueError):
        return False
