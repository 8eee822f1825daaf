"""IPython in a terminal: an interrupt of ``await pool.run(...)`` ends it."""

from __future__ import annotations

from skyward_jupyter.runtime.shells import ipython_shell


def end_interrupted() -> None:
    """Have the shell of this process cancel what a cell awaits when it is interrupted, if nobody runs it otherwise."""
    shell = ipython_shell()
    if shell is None or hasattr(shell, "kernel"):
        return
    from skyward_jupyter.agent.awaited import Awaiting

    runner, _ = shell.loop_runner_map["asyncio"]
    if shell.loop_runner is runner:
        shell.loop_runner = Awaiting(shell)
