"""Errors of pools and their nodes: how they are started, who drives them, what is left of them."""

from __future__ import annotations

import concurrent.futures
from typing import Any

from skyward_jupyter.errors.base import SkywardError


class PoolError(SkywardError):
    """Something concerns a pool as a whole."""


class PoolStopped(PoolError, concurrent.futures.BrokenExecutor):
    """The pool was stopped, or is stopping."""


class ExecutorBroken(PoolError, concurrent.futures.BrokenExecutor):
    """An executor runs no more jobs: its initializer failed, or no node of its pool could be reached.

    Attributes
    ----------
    executor
        What its nodes know the executor by; empty where that does not matter.
    """

    executor = ""


class PoolHeld(PoolError):
    """Another kernel drives the pool: it has it, or it took it over."""


class NotClustered(PoolError):
    """The nodes of the pool do not know each other; collections, which they would share, need a cluster."""


class ProvisioningFailed(PoolError):
    """A machine, or the agent on it, could not be started; what had been made is removed."""


class BootstrapFailed(ProvisioningFailed):
    """A machine could not be made ready for an agent. Trying again goes on where it ended.

    Attributes
    ----------
    machine, step, why
        Which machine, which step of it, and what was wrong.
    command
        What was run there, or what was done.
    last
        The last lines it wrote.
    log
        The file here that has all of them; empty where there are none.
    """

    def __init__(
        self, machine: str, step: str, why: str, command: str = "", last: tuple[str, ...] = (), log: str = ""
    ) -> None:
        self.machine = machine
        self.step = step
        self.why = why
        self.command = command
        self.last = last
        self.log = log
        told = "".join(f"\n    {line}" for line in last)
        ran = f"\n    $ {command}" if command and last else ""
        whole = f"\nAll of it is in {log}" if log else ""
        super().__init__(f"{machine} could not be made ready, at the step {step!r}: {why}{ran}{told}{whole}")

    def __reduce__(self) -> tuple[Any, ...]:
        return BootstrapFailed, (self.machine, self.step, self.why, self.command, self.last, self.log)


class NodeLost(SkywardError, concurrent.futures.BrokenExecutor):
    """A node died, or was removed, with the task on it.

    Attributes
    ----------
    node, why
        Rank of the node in its pool, and what ended it, as far as that is known.
    tries
        On how many nodes the task was begun, each lost with it.
    """

    def __init__(self, node: int, why: str = "", tries: int = 1, what: str = "") -> None:
        self.node = node
        self.why = why
        self.tries = tries
        detail = f" ({why})" if why else ""
        often = f", the last of {tries} nodes lost with it" if tries > 1 else ""
        super().__init__(
            f"node {node} was lost while {what or 'the task'} ran on it{detail}{often}; the pool starts another in its "
            "place, run the call again if repeating it is safe"
        )


class NoRoom(SkywardError):
    """A payload does not fit into shared memory, or onto the disk; nothing was sent."""
