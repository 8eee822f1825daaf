"""Which call of the user's a task was, in one short line."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any

from skyward_jupyter.agent import jobcall
from skyward_jupyter.wire.called import called

type Given = tuple[Callable[..., Any], tuple[Any, ...], Mapping[str, Any]]


def text_of(given: Given, tb: TracebackType | None) -> str:
    """The call of a task; of a job, the one that it was made for, as far as `tb` got to it."""
    function, args, kwargs = given
    if function is not jobcall.run:
        return called(function, args, kwargs)
    inner = args[0]
    while tb is not None:
        code, names = tb.tb_frame.f_code, tb.tb_frame.f_locals
        if code is jobcall.prepared.__code__ and "kwargs" in names:
            inner = names["function"], names["args"], names["kwargs"]
        elif code is jobcall.each.__code__ and "item" in names:
            return called(names["function"], names["item"], {})
        tb = tb.tb_next
    return called(*inner) if inner[0] is not jobcall.prepared else "the job"
