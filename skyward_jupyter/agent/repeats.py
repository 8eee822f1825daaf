"""Recursion in a traceback: of many frames alike, the first and the last are kept.

IPython does this itself for code that has no file. The functions of a notebook's cells look to it as if they had one,
and it shows each of a thousand frames.
"""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType

#: How many frames alike are shown as they are, and how many are kept at each end of more.
_FEW = 8
_ENDS = 2


def without_repeats(tb: TracebackType | None, ours: Callable[[str], bool]) -> list[str]:
    """Take frames alike out of a traceback, in place; returns a sentence for each place where some went.

    Parameters
    ----------
    ours
        Whether code of this name is looked at.
    """
    said: list[str] = []
    while tb is not None:
        run = _run(tb)
        if len(run) > _FEW and ours(tb.tb_frame.f_code.co_filename):
            run[_ENDS - 1].tb_next = run[-_ENDS]
            gone = len(run) - 2 * _ENDS
            said.append(f"{gone} more frames of {tb.tb_frame.f_code.co_name} at line {tb.tb_lineno} are left out")
        tb = run[-1].tb_next
    return said


def _run(tb: TracebackType) -> list[TracebackType]:
    """The frames alike that begin with this one."""
    found = [tb]
    following = tb.tb_next
    while following is not None and _place(following) == _place(tb):
        found.append(following)
        following = following.tb_next
    return found


def _place(tb: TracebackType) -> tuple[object, int]:
    return tb.tb_frame.f_code, tb.tb_lineno
