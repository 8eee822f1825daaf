"""How a launched process becomes an agent or a slot, whether it was forked or spawned."""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import signal
import socket
import sys
from collections.abc import Sequence

from setproctitle import setproctitle

from skyward_jupyter.agent.config import AgentConfig

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None)


def become(role: str, config: AgentConfig, label: str, fds: Sequence[int], parent: int, ends: Sequence[int]) -> None:
    """Run as `role` (``agent`` or ``slot``) until it is over; the caller ends the process then.

    `fds` are its sockets, `ends` a slot's pipes (see `skyward_jupyter.agent.pipes`).
    The process ends with its parent, forms a process group of its own, and names itself for ``ps``.
    """
    os.setpgid(0, 0)
    die_with_parent(parent)
    setproctitle(f"skyward: {role} {config.name}{label}")
    sockets = [socket.socket(fileno=fd) for fd in fds]
    if role == "agent":
        from skyward_jupyter.agent.main import run_agent

        run_agent(config, sockets[0])
    else:
        from skyward_jupyter.agent.pipes import Ends
        from skyward_jupyter.agent.slot import run_process

        run_process(config, sockets, label, Ends.of(list(ends)))


def die_with_parent(parent: int) -> None:
    """Have the system kill this process when its parent ends (Linux; elsewhere the closed socket does it)."""
    signal_with_parent(signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(0)


def signal_with_parent(number: signal.Signals) -> None:
    """Have the system send this process a signal when its parent ends (Linux)."""
    if sys.platform == "linux":
        _libc.prctl(_PR_SET_PDEATHSIG, number)


def main() -> None:
    """Entry of a spawned child: its specification comes over stdin, where nobody else sees it."""
    spec = json.loads(sys.stdin.buffer.read())
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    with contextlib.suppress(KeyboardInterrupt):
        config = AgentConfig.from_json(spec["config"])
        become(spec["role"], config, spec["label"], spec["fds"], spec["parent"], spec["ends"])
    os._exit(0)


if __name__ == "__main__":
    main()
