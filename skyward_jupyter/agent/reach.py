"""The way from a slot's code to the collections of its pool."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable

from skyward_jupyter.agent.channel import short
from skyward_jupyter.agent.config import AgentConfig
from skyward_jupyter.collections import place
from skyward_jupyter.collections.link import Link
from skyward_jupyter.errors import UsageError


def door(config: AgentConfig) -> str:
    """Where an agent serves collections to the processes of its node; the directory is its owner's alone."""
    return f"{os.path.dirname(config.store)}/{config.rank}.collections"


def enter(config: AgentConfig, task: Callable[[], int]) -> Link:
    """Let the code of this slot process reach its pool's collections; `task` is the one that the caller runs in."""

    def connect() -> socket.socket:
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        with short(door(config)) as path:
            sock.connect(path)
        return sock

    link = Link(connect, config.pool, task)

    def find(pool: str | None) -> Link:
        if pool not in (None, config.pool):
            raise UsageError(
                f"this code runs on a node of pool {config.pool!r} and cannot reach the collections of pool {pool!r}; "
                "use them in the notebook, and send what is needed"
            )
        return link

    place.enter(find)
    return link
