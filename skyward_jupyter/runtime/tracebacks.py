"""Tracebacks as users want them: their own frames, not those of the loop that carried the error."""

from __future__ import annotations

import asyncio
import concurrent.futures
from pathlib import Path
from types import TracebackType

_OURS = str(Path(__file__).parent.parent)
_CARRIERS = (_OURS, str(Path(asyncio.__file__).parent), str(Path(concurrent.futures.__file__).parent), "nest_asyncio2")


def without_carriers[E: BaseException](error: E) -> E:
    """`error` without the frames through which it reached the caller.

    What is left starts with the first frame of somebody else's code: for an error of a node, the remote frames. An
    error that arose in this project itself keeps none; its message says what to do.
    """
    tb = error.__traceback__
    while tb is not None and _carries(tb):
        tb = tb.tb_next
    return error.with_traceback(tb)


def _carries(tb: TracebackType) -> bool:
    return any(part in tb.tb_frame.f_code.co_filename for part in _CARRIERS)
