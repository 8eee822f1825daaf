"""Cells of a kernel that can be suspended: what makes a blocking call in them leave the kernel's loop free.

The kernel answers an execute request, and IPython runs an awaited cell, each as a coroutine; both are made suspendable
as they are. What IPython does with a cell, whether it awaits it, its tracebacks and signal handlers stay its own. The
cell that runs when this is put in place is not suspendable yet.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
import threading
from collections.abc import Coroutine
from typing import Any
from weakref import WeakSet

from skyward_jupyter.runtime import suspension
from skyward_jupyter.runtime.shells import ipython_shell
from skyward_jupyter.runtime.suspension import suspendable

_suspending: WeakSet[Any] = WeakSet()


def kernel_shell() -> Any:
    """IPython's shell if this process is a kernel, else None."""
    shell = ipython_shell()
    return shell if getattr(shell, "kernel", None) is not None else None


def current_cell() -> int:
    """Return the number of the notebook's cell that runs or ran last, as in ``In [5]``; 0 outside of a kernel.

    IPython's own count is one ahead while a cell runs in some versions, and not in others; its list of inputs never is.
    """
    history = getattr(kernel_shell(), "history_manager", None)
    return max(0, len(history.input_hist_parsed) - 1) if history is not None else 0


def cell_and_messages() -> tuple[str, int]:
    """Return which request runs in this context, and how many messages this kernel has sent, of any cell."""
    shell = kernel_shell()
    cell = getattr(getattr(shell, "display_pub", None), "parent_header", {}).get("msg_id", "")
    sent = getattr(getattr(getattr(shell, "kernel", None), "session", None), "message_count", 0)
    return cell, sent


def suspend_cells() -> None:
    """Make the cells of this kernel suspendable, once; does nothing where there is no kernel."""
    shell = kernel_shell()
    if shell is None or shell.kernel in _suspending or not inspect.iscoroutinefunction(shell.kernel.do_execute):
        return
    _suspending.add(shell.kernel)
    _suspend_requests(shell.kernel)
    _suspend_awaited(shell)
    _hide_from_debugger(shell.kernel)


def _suspend_requests(kernel: Any) -> None:
    own = kernel.do_execute

    @functools.wraps(own)
    async def do_execute(*args: Any, **kwargs: Any) -> Any:
        return await _if_main(own(*args, **kwargs))

    kernel.do_execute = do_execute


def _suspend_awaited(shell: Any) -> None:
    """The kernel makes a task of its own for a cell that is awaited."""
    own = shell.run_cell_async

    @functools.wraps(own)
    def run_cell_async(*args: Any, **kwargs: Any) -> Any:
        return _unless_in(_task(), own(*args, **kwargs))

    shell.run_cell_async = inspect.markcoroutinefunction(run_cell_async)


async def _unless_in(caller: asyncio.Task[Any] | None, work: Coroutine[Any, Any, Any]) -> Any:
    """Within the task that asked for it, a cell is run to its end in one step by code that cannot await."""
    return await (work if _task() is caller else _if_main(work))


async def _if_main(work: Coroutine[Any, Any, Any]) -> Any:
    """Subshells have threads and loops of their own, where nothing of ours can wait."""
    return await (suspendable(work) if threading.current_thread() is threading.main_thread() else work)


def _hide_from_debugger(kernel: Any) -> None:
    """The debugger of a front end leaves out the files that the kernel knows as its own."""
    debugger = getattr(kernel, "debugger", None)
    own = getattr(debugger, "kernel_modules", None)
    if isinstance(own, list):
        own += [__file__, suspension.__file__]


def _task() -> asyncio.Task[Any] | None:
    try:
        return asyncio.current_task()
    except RuntimeError:
        return None
