"""Whether this kernel ends because it is restarted: its pools are kept for their ttl then, for the next one to attach.

A front end says so in its request to shut down, which the kernel handles before it ends in order.
"""

from __future__ import annotations

from typing import Any

_restarting: list[bool] = []


def restarting() -> bool:
    """Whether another kernel takes this one's place."""
    return bool(_restarting)


def watch(kernel: Any) -> None:
    """Hear of it from a kernel; one that cannot tell ends its pools, as with any other end."""
    shut_down = getattr(kernel, "do_shutdown", None)
    if shut_down is None or getattr(shut_down, "_skyward", False):
        return

    def do_shutdown(restart: bool) -> Any:
        if restart:
            _restarting.append(True)
        return shut_down(restart)

    do_shutdown._skyward = True  # type: ignore[attr-defined]
    kernel.do_shutdown = do_shutdown
