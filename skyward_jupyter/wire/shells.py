"""Names that IPython puts into a notebook, in functions that are sent: they mean there what they mean here.

``exit`` and ``quit`` end the call, ``get_ipython`` gives the shell of the process that asks: in a session its own, in
a slot one that is made when it is first asked for, so ``!cmd``, ``%magic`` and ``display`` work in functions too. The
notebook's own shell goes as the question for the one that is there.
"""

from __future__ import annotations

import builtins
import sys
import types
from collections.abc import Callable
from typing import Any

_makers: list[Callable[[], object]] = []


def install(make: Callable[[], object]) -> None:
    """Have `make` called when code here first needs a shell, which this process does not have yet."""
    _makers[:] = [make]
    vars(builtins)["display"] = display


def here() -> object:
    """Return the shell of this process; None where it has none and none can be made."""
    from IPython.core.getipython import get_ipython

    shell: object = get_ipython()
    return _makers[0]() if shell is None and _makers else shell


def display(*objects: object, **options: Any) -> Any:
    """Show `objects` as IPython's ``display`` does in a notebook."""
    from IPython import display as shown

    here()
    return shown.display(*objects, **options)


def reducers() -> dict[type, Callable[[Any], Any]]:
    """Return how the kinds of objects that IPython has in its namespace pickle; none where it is not in use."""
    interactive = sys.modules.get("IPython.core.interactiveshell")
    shell = interactive.InteractiveShell._instance if interactive is not None else None
    if shell is None:
        return {}
    calls: Any = sys.modules["IPython.core.autocall"]
    return {calls.ExitAutocall: _exit, calls.ZMQExitAutocall: _exit, type(shell): _shell, types.MethodType: _method}


def of_function(function: types.FunctionType) -> tuple[Any, ...] | None:
    """Return how IPython's ``display`` pickles; None for any other function."""
    if function.__name__ == "display" and function.__module__ == "IPython.core.display_functions":
        return getattr, (sys.modules[__name__], "display")
    return None


def _exit(_: object) -> tuple[Any, ...]:
    return getattr, (sys, "exit")


def _method(method: types.MethodType) -> tuple[Any, ...] | str:
    shell: Any = sys.modules["IPython.core.interactiveshell"]
    if method.__name__ == "get_ipython" and isinstance(method.__self__, shell.InteractiveShell):
        return getattr, (sys.modules[__name__], "here")
    return types.MethodType, (method.__func__, method.__self__)


def _shell(_: object) -> tuple[Any, ...]:
    return here, ()
