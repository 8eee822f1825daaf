"""A node has no keyboard: what asks for one there says so at once, instead of waiting or ending in a riddle.

That is `input`, `getpass.getpass` and debuggers that ask on the process's own standard input. One that was given a
stream of its own, as a remote debugger is, works. What reads `sys.stdin` itself finds it empty.
"""

from __future__ import annotations

import builtins
import functools
import getpass
import pdb
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

from skyward_jupyter.errors import NoKeyboard


def install() -> None:
    """Have whatever asks in this process say that nobody can answer."""
    builtins.input = _input
    getpass.getpass = _getpass
    debugger: Any = pdb.Pdb
    debugger.set_trace = _set_trace(debugger.set_trace)
    debugger.interaction = _interaction(debugger.interaction)


def refuse_debugger() -> None:
    """Say that no debugger can ask here."""
    __tracebackhide__ = True
    raise NoKeyboard("a debugger", "print what you want to see, or run the code in the notebook itself")


def _input(prompt: object = "", /) -> str:
    __tracebackhide__ = True
    raise NoKeyboard(_asking("input", prompt), "ask in the notebook and use the answer in the cell or call")


def _getpass(prompt: str = "Password: ", stream: object = None, **_: object) -> str:
    __tracebackhide__ = True
    raise NoKeyboard(_asking("getpass", prompt), "ask in the notebook and use the answer in the cell or call")


def _asking(what: str, prompt: object) -> str:
    return f"{what}({str(prompt)!r})" if prompt else f"{what}()"


def _set_trace(method: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(method)
    def set_trace(self: Any, frame: FrameType | None = None, **options: Any) -> Any:
        __tracebackhide__ = True
        _check(self)
        return method(self, frame or sys._getframe().f_back, **options)

    return set_trace


def _interaction(method: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(method)
    def interaction(self: Any, *args: Any, **options: Any) -> Any:
        __tracebackhide__ = True
        _check(self)
        return method(self, *args, **options)

    return interaction


def _check(debugger: Any) -> None:
    """Refuse a debugger that reads what this process has as its standard input."""
    __tracebackhide__ = True
    if debugger.stdin in (sys.stdin, sys.__stdin__):
        refuse_debugger()
