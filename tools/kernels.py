"""How kernels are reached by who starts many of them."""

from __future__ import annotations

from jupyter_client.manager import KernelManager


def reached_in[M: KernelManager](manager: M, folder: str) -> M:
    """Have a manager's kernel listen on sockets in a folder of its own, whose path is short.

    A port that was free when the manager chose it may be somebody else's when its kernel listens, on a machine where
    much goes on; the kernel dies then.
    """
    manager.transport, manager.ip = "ipc", f"{folder}/kernel"
    return manager
