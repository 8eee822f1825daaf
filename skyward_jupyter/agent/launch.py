"""Starting and killing the processes of agents and slots.

They are forked from whoever launches them; where forking is not safe (macOS) the same children are spawned.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import traceback
from collections.abc import Sequence

from skyward_jupyter.agent.child import become
from skyward_jupyter.agent.config import AgentConfig
from skyward_jupyter.agent.endings import kill_group

FORK = sys.platform == "linux" and os.environ.get("SKYWARD_START") != "spawn"


def launch(
    role: str, config: AgentConfig, label: str, sockets: Sequence[socket.socket], ends: Sequence[int] = ()
) -> int:
    """Start a process that is a `role` (``agent`` or ``slot``) and has `sockets`, none other; returns its pid.

    A slot has the `ends` of its pipes as well.

    Raises
    ------
    OSError
        The system has no room for it.
    """
    fds = [sock.fileno() for sock in sockets]
    if not FORK:
        return _spawn(role, config, label, fds, ends)
    parent = os.getpid()
    pid = os.fork()
    if pid:
        return pid
    try:
        leave({*fds, *ends})
        become(role, config, label, fds, parent, ends)
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(0)


def kill(pid: int) -> None:
    """Kill a process that was launched and its group, if they are still there."""
    kill_group(pid)
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def leave(keep: set[int]) -> None:
    """In a fresh child: drop everything that is its parent's (its selector too, by its descriptor)."""
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    for name in os.listdir("/proc/self/fd"):
        fd = int(name)
        if fd > 2 and fd not in keep:
            with contextlib.suppress(OSError):
                os.close(fd)


def _spawn(role: str, config: AgentConfig, label: str, fds: Sequence[int], ends: Sequence[int]) -> int:
    has = {"fds": list(fds), "ends": list(ends)}
    spec = {"role": role, "config": config.to_json(), "label": label, **has, "parent": os.getpid()}
    command = [sys.executable, "-P", "-m", "skyward_jupyter.agent.child"]
    child = subprocess.Popen(command, pass_fds=[*fds, *ends], stdin=subprocess.PIPE)
    assert child.stdin is not None
    with contextlib.suppress(BrokenPipeError), child.stdin as pipe:
        pipe.write(json.dumps(spec).encode())
    return child.pid
